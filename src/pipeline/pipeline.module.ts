import { Module } from '@nestjs/common';
import { AsyncEgressModule } from '../async-egress/async-egress.module.js';
import { AsyncEgressStage } from '../async-egress/async-egress.stage.js';
import { DeadLetterStore } from '../dead-letters/dead-letter-store.js';
import { RedriveEntry } from '../dead-letters/redrive-entry.port.js';
import { RedriveQueue } from '../dead-letters/redrive-queue.js';
import { Redriver } from '../dead-letters/redriver.js';
import { FinalSinkModule } from '../final-sink/final-sink.module.js';
import { FinalSinkStage } from '../final-sink/final-sink.stage.js';
import { GatewayModule } from '../gateway/gateway.module.js';
import { GatewayStage } from '../gateway/gateway.stage.js';
import { KafkaIngestStrategy } from '../gateway/kafka-ingest.strategy.js';
import { RedrivenRecords } from '../gateway/redriven-records.js';
import { IngressModule } from '../ingress/ingress.module.js';
import { IngressStage } from '../ingress/ingress.stage.js';
import { KeyGenModule } from '../keygen/keygen.module.js';
import { KEYGEN_OPTIONS, type KeyGenOptions } from '../keygen/keygen.options.js';
import { KeyGenStage } from '../keygen/keygen.stage.js';
import { Ledger } from '../ledger/ledger.js';
import { MemoryInputs } from './memory-inputs.js';
import { NetworkInputs } from './network-inputs.js';
import { PipelineLifecycle, PipelineParts } from './pipeline.lifecycle.js';
import { PipelineRedriveEntry } from './redrive-entry.js';
import { Settlement } from './settlement.js';
import { SourceGate } from './source-gate.js';
import type { Stage } from './stage.js';
import { StageRuntime } from './stage-runtime.js';

/** THE order: records go down this list, credits come up. No stage knows another one. */
const STAGES = [GatewayStage, KeyGenStage, IngressStage, AsyncEgressStage, FinalSinkStage];

@Module({
  imports: [GatewayModule, KeyGenModule, IngressModule, AsyncEgressModule, FinalSinkModule],
  providers: [
    PipelineLifecycle,
    MemoryInputs,
    NetworkInputs,
    SourceGate,
    {
      provide: RedriveEntry,
      inject: [
        GatewayStage,
        AsyncEgressStage,
        RedrivenRecords,
        StageRuntime,
        Settlement,
        KEYGEN_OPTIONS,
      ],
      useFactory: redriveEntryOf,
    },
    {
      provide: Redriver,
      inject: [RedriveQueue, DeadLetterStore, Ledger, RedriveEntry, Settlement, StageRuntime],
      useFactory: redriverOf,
    },
    {
      provide: PipelineParts,
      inject: [Ledger, Settlement, Redriver, KafkaIngestStrategy, ...STAGES],
      useFactory: (
        ledger: Ledger,
        settlement: Settlement,
        redriver: Redriver,
        kafka: KafkaIngestStrategy | undefined,
        ...stages: Stage[]
      ) => {
        const sources = kafka === undefined ? [redriver] : [kafka, redriver];
        return new PipelineParts(stages, ledger, settlement, sources);
      },
    },
  ],
  exports: [PipelineLifecycle],
})
export class PipelineModule {}

function redriveEntryOf(
  gateway: Stage,
  afterIngress: Stage,
  records: RedrivenRecords,
  runtime: StageRuntime,
  settlement: Settlement,
  { numberOfPartitions: partitions }: KeyGenOptions,
): RedriveEntry {
  const parts = { gateway, afterIngress, records, runtime, settlement, partitions };
  return new PipelineRedriveEntry(parts);
}

function redriverOf(
  queue: RedriveQueue,
  store: DeadLetterStore,
  ledger: Ledger,
  entry: RedriveEntry,
  { inFlight }: Settlement,
  { clock, pauses }: StageRuntime,
): Redriver {
  return new Redriver({ queue, store, ledger, entry, inFlight, pauses, clock });
}
