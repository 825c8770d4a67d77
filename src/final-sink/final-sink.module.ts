import { Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { sinksOf } from '../config/sinks-of.js';
import { Acknowledgments } from '../ledger/acknowledgments.port.js';
import { DeliveryLease } from '../ledger/delivery-lease.port.js';
import { Ledger } from '../ledger/ledger.js';
import { ensureSinkTable } from '../ledger/sink-table.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { FinalSinkStage } from './final-sink.stage.js';
import { KafkaSinkFactory } from './sinks/kafka-sink.factory.js';
import { PostgresSink } from './sinks/postgres.sink.js';
import { type Sink, SINK } from './sinks/sink.js';

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
        const [sink, ...others] = sinksOf(definition, options);
        if (sink === undefined || sink.kind === 'callback' || others.length > 0) {
          throw new TypeError('This version delivers to one sink, a table or a topic.');
        }
        if (sink.kind === 'kafka') return kafka.create(sink.topic!);
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
