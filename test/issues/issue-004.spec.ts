import { PipelineFunctionError } from '../../src/pipeline/pipeline-function.error.js';
import type { StandardSchemaV1 } from '../../src/pipeline/standard-schema.js';
import { StageHarness } from '../support/stage-harness.js';

const schemaThatGives = (result: unknown): StandardSchemaV1 =>
  ({
    '~standard': { version: 1, vendor: 'test', validate: () => result },
  }) as StandardSchemaV1;

describe('a schema that gives no result of a Standard Schema', () => {
  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 5],
    ['neither value nor issues', {}],
    ['issues that are text', { issues: 'wrong' }],
    ['issues that are null', { issues: null }],
    ['an issue without a message', { issues: [{}] }],
    ['a path that is text', { issues: [{ message: 'wrong', path: 'a' }] }],
    [
      'a getter that throws',
      Object.defineProperty({}, 'issues', {
        get: () => {
          throw new Error('not to be read');
        },
      }),
    ],
  ])('is told apart from a defect of the service: %s', async (_, result) => {
    const harness = await new StageHarness({
      definition: { schema: schemaThatGives(result) },
    }).start();
    const [record] = await harness.accept([1]);
    const { verdict } = record!;
    expect(verdict?.kind === 'refused' && verdict.error).toBeInstanceOf(PipelineFunctionError);
    expect(harness.leftovers()).toEqual({});
  });
});
