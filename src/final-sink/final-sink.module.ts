import { Module } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { Acknowledgments } from '../ledger/acknowledgments.port.js';
import { ensureSinkTable } from '../ledger/sink-table.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { SINK_OPTIONS, type SinkOptions } from './final-sink.options.js';
import { FinalSinkStage } from './final-sink.stage.js';
import { PostgresSink } from './sinks/postgres.sink.js';
import { type Sink, SINK } from './sinks/sink.js';

/** The table that records go to: SINKS wins over the definition's sink, which may leave its table to SINK_TABLE. */
export function sinkTableOf(definition: AnyPipelineDefinition, options: SinkOptions): string {
  const sink = options.sinks === undefined ? definition.sinks?.[0] : undefined;
  return (sink?.kind === 'postgres' ? sink.table : undefined) ?? options.sinkTable;
}

/**
 * Needs StageRuntime, Settlement, PIPELINE_DEFINITION, FINAL_SINK_OPTIONS and SINK_OPTIONS from the pipeline's ports,
 * Acknowledgments and the DataSource from global modules.
 */
@Module({
  providers: [
    FinalSinkStage,
    {
      provide: SINK,
      inject: [Acknowledgments, DataSource, PIPELINE_DEFINITION, SINK_OPTIONS],
      useFactory: (
        acknowledgments: Acknowledgments,
        database: DataSource,
        definition: AnyPipelineDefinition,
        options: SinkOptions,
      ): Sink =>
        new PostgresSink(acknowledgments, {
          table: sinkTableOf(definition, options),
          ensureTable: (table) => ensureSinkTable(database, table),
        }),
    },
  ],
  exports: [FinalSinkStage],
})
export class FinalSinkModule {}
