import { Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { KafkaBooks, KafkaSource } from '#libs/kafka';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { isExactlyOnce } from '../config/exactly-once.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { AdmissionHook } from './admission.hook.js';
import { ArrayBatch } from './array-batch.js';
import { Callers } from './tenants/callers.js';
import { GatewayLimits, KAFKA_ONLY } from './gateway.limits.js';
import { GatewayStage } from './gateway.stage.js';
import { IngestTokens } from './tenants/ingest-tokens.js';
import { KafkaIngestStrategy } from './kafka-ingest.strategy.js';
import { KafkaIntake } from './kafka-intake.js';
import { KeyReader } from './key-reader.js';
import { ProblemFilter } from './problem.filter.js';
import { RecordIntake } from './record-intake.js';
import { RecordStatusLookup } from './record-status-lookup.js';
import { RecordsController } from './records.controller.js';
import { RedrivenRecords } from './redriven-records.js';
import { Replays } from './replays.js';
import { RouteTable } from './route-table.js';
import { SingleRecord } from './single-record.js';
import { StreamBatch } from './stream-batch.js';
import { TenantQuotas } from './tenants/tenant-quotas.js';

/**
 * Needs StageRuntime, InFlight, Intake, Settlement, Journal, KafkaBooks, RecordLookup, PIPELINE_DEFINITION,
 * SERVICE_OPTIONS, GATEWAY_OPTIONS and BOUNDS_OPTIONS from the pipeline's ports, KafkaSource (undefined: Kafka brings no records), and `registerHooks` to be called on the application.
 */
@Module({
  controllers: [RecordsController],
  providers: [
    AdmissionHook,
    ArrayBatch,
    Callers,
    GatewayLimits,
    GatewayStage,
    IngestTokens,
    KeyReader,
    RecordIntake,
    RecordStatusLookup,
    RedrivenRecords,
    Replays,
    RouteTable,
    SingleRecord,
    StreamBatch,
    TenantQuotas,
    KafkaIntake,
    {
      provide: KafkaIngestStrategy,
      inject: [KafkaSource, KafkaIntake, KafkaBooks, StageRuntime],
      useFactory: (
        source: KafkaSource | undefined,
        intake: KafkaIntake,
        books: KafkaBooks,
        { clock }: StageRuntime,
      ) => source && new KafkaIngestStrategy(source, { intake, books, clock }),
    },
    {
      provide: KAFKA_ONLY,
      inject: [{ token: APP_OPTIONS, optional: true }],
      useFactory: (options?: AppOptions) => options !== undefined && isExactlyOnce(options),
    },
    { provide: APP_FILTER, useClass: ProblemFilter },
  ],
  exports: [GatewayStage, KafkaIngestStrategy, RedrivenRecords],
})
export class GatewayModule {}
