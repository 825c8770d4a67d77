import { Module } from '@nestjs/common';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { sinksOf } from '../config/sinks-of.js';
import { DeliveryLease } from '../ledger/delivery-lease.port.js';
import { Ledger } from '../ledger/ledger.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { FinalSinkStage } from './final-sink.stage.js';
import { KafkaSinkFactory } from './sinks/kafka-sink.factory.js';
import { SinkFactory } from './sinks/sink.factory.js';
import { type RoutedSink, SINKS } from './sinks/sink.js';

/**
 * Needs StageRuntime, Settlement, PIPELINE_DEFINITION, FINAL_SINK_OPTIONS and APP_OPTIONS from the pipeline's ports and the
 * options, Acknowledgments, Ledger and the DataSource from global modules.
 */
@Module({
  providers: [
    FinalSinkStage,
    KafkaSinkFactory,
    SinkFactory,
    { provide: DeliveryLease, useExisting: Ledger },
    {
      provide: SINKS,
      inject: [PIPELINE_DEFINITION, APP_OPTIONS, SinkFactory],
      useFactory: (
        definition: AnyPipelineDefinition,
        options: AppOptions,
        factory: SinkFactory,
      ): readonly RoutedSink[] => {
        const sinks = sinksOf(definition, options);
        const surroundings = {
          isShared: sinks.length > 1,
          format: definition.format ?? 'json',
        } as const;
        return sinks.map((sink) => ({
          sink: factory.create(sink, surroundings),
          isRequired: sink.isRequired,
        }));
      },
    },
  ],
  exports: [FinalSinkStage],
})
export class FinalSinkModule {}
