import type { AnyPipelineDefinition } from '../../src/pipeline/definition.js';
import { StageHarness } from '../support/stage-harness.js';

/** Node tells of unhandled rejections after the microtasks of the turn. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a pipeline function that must answer at once', () => {
  const unhandled = jest.fn();
  beforeAll(() => process.on('unhandledRejection', unhandled));
  afterAll(() => process.off('unhandledRejection', unhandled));

  it.each(['key', 'preprocess', 'schema'] as const)(
    'is refused when %s is async, and its rejection does not end the process',
    async (step) => {
      const reject = (): Promise<never> => Promise.reject(new Error('nobody awaits it'));
      const schema = { '~standard': { version: 1, vendor: 'test', validate: reject } };
      const definition = { [step]: step === 'schema' ? schema : reject };
      const harness = await new StageHarness({
        definition: definition as unknown as Partial<AnyPipelineDefinition>,
      }).start();
      const [record] = await harness.accept([1]);
      expect(record?.verdict).toMatchObject({
        kind: 'refused',
        error: { step, message: expect.stringContaining('a promise') },
      });
      await turn();
      expect(unhandled).not.toHaveBeenCalled();
      expect(harness.leftovers()).toEqual({});
    },
  );
});
