import { failureOf } from '../../src/pipeline/destination/failure-of.js';
import { PipelineFunctionError } from '../../src/pipeline/pipeline-function.error.js';
import { StageHarness } from '../support/stage-harness.js';

const refuseToBeRead = (): never => {
  throw new Error('not to be read');
};

/** What throws when it is looked at. The record is in the journal by then: a throw would end the process at each start. */
const UNREADABLE: [string, unknown][] = [
  ['a message that is a symbol', Object.assign(new Error(), { message: Symbol('message') })],
  ['a name that is a symbol', Object.assign(new Error('x'), { name: Symbol('name') })],
  ['a message that throws', Object.defineProperty(new Error(), 'message', { get: refuseToBeRead })],
  ['a status that throws', Object.defineProperty({}, 'status', { get: refuseToBeRead })],
  ['a proxy', new Proxy({}, { get: refuseToBeRead, getPrototypeOf: refuseToBeRead })],
];

describe('an egress that throws what can not be read', () => {
  it.each(UNREADABLE)('has failed like any other: %s', async (_, thrown) => {
    expect(failureOf(thrown).kind).toBe('retryable');
    const harness = await new StageHarness({
      definition: {
        egress: () => {
          throw thrown;
        },
      },
      egress: { maxRetries: 1 },
    }).start();
    const [record] = await harness.accept([1]);
    await harness.advance();
    expect(harness.endOf(record!)).toBe('dead-lettered: attempts-used-up');
    expect(harness.leftovers()).toEqual({});
  });
});

describe('a preprocess that throws what can not be read', () => {
  it.each(UNREADABLE)('has failed like any other: %s', async (_, thrown) => {
    const harness = await new StageHarness({
      definition: {
        preprocess: () => {
          throw thrown;
        },
      },
    }).start();
    const [record] = await harness.accept([1]);
    const { verdict } = record!;
    expect(verdict?.kind === 'refused' && verdict.error).toBeInstanceOf(PipelineFunctionError);
    expect(harness.leftovers()).toEqual({});
  });
});
