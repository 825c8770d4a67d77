import { options, type OptionsOf, ratio, text, wholeNumber } from './option.js';

const MIB = 1_048_576;

export const pipelineOptions = options('', {
  pipelineModule: text()
    .optional()
    .describe(
      'The pipeline definition: a .ts file of this project, or a compiled .js file. Absent: pipelines/orders.pipeline.ts, the example.',
    ),
  pipelineSchemaFile: text()
    .optional()
    .describe(
      'A JSON Schema (draft 2020-12): a pipeline without code, instead of PIPELINE_MODULE.',
    ),
  pipelineKey: text()
    .optional()
    .describe('JSON pointer to the key in the payload, of a pipeline without code.'),
  pipelineBufferSize: wholeNumber({ min: 1 })
    .default(10_000)
    .describe('Records between the Gateway and their end, all stages together.'),
  bufferMemoryFraction: ratio()
    .default(0.1)
    .describe('Share of the memory limit of the process that records in the pipeline may hold.'),
  bufferMemoryMinBytes: wholeNumber({ min: 1 })
    .default(64 * MIB)
    .describe('Least bytes that records in the pipeline may hold.'),
  bufferMemoryMaxBytes: wholeNumber({ min: 1 })
    .default(1024 * MIB)
    .describe('Most bytes that records in the pipeline may hold.'),
});
export type PipelineOptions = OptionsOf<typeof pipelineOptions>;
