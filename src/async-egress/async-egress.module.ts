import { Module } from '@nestjs/common';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { ASYNC_EGRESS_OPTIONS, type AsyncEgressOptions } from './async-egress.options.js';
import { AsyncEgressStage } from './async-egress.stage.js';
import { destinationOf, EGRESS_DESTINATION } from './destination.js';

/** Needs StageRuntime, Settlement, PIPELINE_DEFINITION and ASYNC_EGRESS_OPTIONS from the pipeline's ports. */
@Module({
  providers: [
    AsyncEgressStage,
    {
      provide: EGRESS_DESTINATION,
      inject: [PIPELINE_DEFINITION, ASYNC_EGRESS_OPTIONS, StageRuntime],
      useFactory: (
        definition: AnyPipelineDefinition,
        options: AsyncEgressOptions,
        { clock }: StageRuntime,
      ) => destinationOf(definition, options, clock),
    },
  ],
  exports: [AsyncEgressStage],
})
export class AsyncEgressModule {}
