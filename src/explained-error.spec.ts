import { ConfigurationError } from './config/load-options.js';
import { PartitionCountError } from './ledger/errors/partition-count.error.js';
import { isExplained } from './explained-error.js';

describe('an error at the start', () => {
  it('is explained when its message tells the operator what to do', () => {
    expect(isExplained(new ConfigurationError(['PORT must be a number.']))).toBe(true);
    expect(isExplained(new PartitionCountError(10, 4, 1))).toBe(true);
    expect(
      isExplained(Object.assign(new Error('--x'), { code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' })),
    ).toBe(true);
  });

  it('keeps its stack when nobody has foreseen it', () => {
    expect(isExplained(new TypeError('x is undefined'))).toBe(false);
    expect(isExplained(Object.assign(new Error('x'), { code: 'EPERM' }))).toBe(false);
  });
});
