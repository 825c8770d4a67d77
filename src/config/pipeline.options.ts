import { options, type OptionsOf, ratio, text, wholeNumber } from './option.js';

const MIB = 1_048_576;

export const pipelineOptions = options('', {
  pipelineModule: text()
    .default('pipelines/orders.pipeline.ts')
    .describe('The pipeline definition: a file of this project, or a compiled .js file.'),
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
