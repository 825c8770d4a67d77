import { Module } from '@nestjs/common';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { isExactlyOnce } from '../config/exactly-once.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { ASYNC_EGRESS_OPTIONS, type AsyncEgressOptions } from './async-egress.options.js';
import { AsyncEgressStage, EGRESS_ORDER, type EgressOrder } from './async-egress.stage.js';
import { destinationOf, EGRESS_DESTINATION } from './destination.js';

/** Needs StageRuntime, Settlement, PIPELINE_DEFINITION, ASYNC_EGRESS_OPTIONS and APP_OPTIONS from the pipeline's ports. */
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
    {
      provide: EGRESS_ORDER,
      inject: [APP_OPTIONS],
      useFactory: (options: AppOptions): EgressOrder =>
        isExactlyOnce(options) ? 'input-partition' : 'key',
    },
  ],
  exports: [AsyncEgressStage],
})
export class AsyncEgressModule {}
