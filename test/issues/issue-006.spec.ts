import { getMaxListeners } from 'node:events';
import { IntakeContext } from '../../src/gateway/intake-context.js';

describe('the signal of a request', () => {
  it('takes a listener for every record of a batch that waits, without a warning of Node', () => {
    const { signal } = new IntakeContext('default', undefined, false);
    expect(getMaxListeners(signal)).toBe(Infinity);
  });
});
