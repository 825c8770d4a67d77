import { Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { Acknowledgments } from '../ledger/acknowledgments.port.js';
import { DeliveryLease } from '../ledger/delivery-lease.port.js';
import { Ledger } from '../ledger/ledger.js';
import { ensureSinkTable } from '../ledger/sink-table.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import type { SinkDefinition } from '../pipeline/sink-definition.js';
import { FinalSinkStage } from './final-sink.stage.js';
import { KafkaSinkFactory } from './sinks/kafka-sink.factory.js';
import { PostgresSink } from './sinks/postgres.sink.js';
import { type Sink, SINK } from './sinks/sink.js';

/** Where records go: SINKS wins over the definition's sink, which may leave its table or topic to the settings. */
export function sinkOf(
  definition: AnyPipelineDefinition,
  { sink: settings, kafka }: Pick<AppOptions, 'sink' | 'kafka'>,
): Required<SinkDefinition> {
  const own: SinkDefinition | undefined =
    settings.sinks === undefined ? definition.sinks?.[0] : { kind: settings.sinks };
  if (own?.kind !== 'kafka') return { kind: 'postgres', table: own?.table ?? settings.sinkTable };
  const topic = own.topic ?? kafka.outputTopic;
  if (topic === undefined) throw new TypeError('KAFKA_OUTPUT_TOPIC must be set.');
  return { kind: 'kafka', topic };
}

/**
 * Needs StageRuntime, Settlement, Destinations, PIPELINE_DEFINITION, FINAL_SINK_OPTIONS and APP_OPTIONS from the
 * pipeline's ports and the options, Acknowledgments, Ledger and the DataSource from global modules.
 */
@Module({
  providers: [
    FinalSinkStage,
    KafkaSinkFactory,
    { provide: DeliveryLease, useExisting: Ledger },
    {
      provide: SINK,
      inject: [PIPELINE_DEFINITION, APP_OPTIONS, KafkaSinkFactory, Acknowledgments, DataSource],
      useFactory: (
        definition: AnyPipelineDefinition,
        options: AppOptions,
        kafka: KafkaSinkFactory,
        acknowledgments: Acknowledgments,
        database: DataSource,
      ): Sink => {
        const sink = sinkOf(definition, options);
        if (sink.kind === 'kafka') return kafka.create(sink.topic);
        return new PostgresSink(acknowledgments, {
          table: sink.table,
          ensureTable: (table) => ensureSinkTable(database, table),
        });
      },
    },
  ],
  exports: [FinalSinkStage],
})
export class FinalSinkModule {}
