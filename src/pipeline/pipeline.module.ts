import { Module } from '@nestjs/common';
import { AsyncEgressModule } from '../async-egress/async-egress.module.js';
import { AsyncEgressStage } from '../async-egress/async-egress.stage.js';
import { FinalSinkModule } from '../final-sink/final-sink.module.js';
import { FinalSinkStage } from '../final-sink/final-sink.stage.js';
import { GatewayModule } from '../gateway/gateway.module.js';
import { GatewayStage } from '../gateway/gateway.stage.js';
import { KafkaIngestStrategy } from '../gateway/kafka-ingest.strategy.js';
import { IngressModule } from '../ingress/ingress.module.js';
import { IngressStage } from '../ingress/ingress.stage.js';
import { KeyGenModule } from '../keygen/keygen.module.js';
import { KeyGenStage } from '../keygen/keygen.stage.js';
import { Ledger } from '../ledger/ledger.js';
import { NetworkInputs } from './network-inputs.js';
import { PipelineLifecycle, PipelineParts } from './pipeline.lifecycle.js';
import { Settlement } from './settlement.js';
import type { Stage } from './stage.js';

/** THE order: records go down this list, credits come up. No stage knows another one. */
const STAGES = [GatewayStage, KeyGenStage, IngressStage, AsyncEgressStage, FinalSinkStage];

@Module({
  imports: [GatewayModule, KeyGenModule, IngressModule, AsyncEgressModule, FinalSinkModule],
  providers: [
    PipelineLifecycle,
    NetworkInputs,
    {
      provide: PipelineParts,
      inject: [Ledger, Settlement, KafkaIngestStrategy, ...STAGES],
      useFactory: (
        ledger: Ledger,
        settlement: Settlement,
        kafka: KafkaIngestStrategy | undefined,
        ...stages: Stage[]
      ) => new PipelineParts(stages, ledger, settlement, kafka === undefined ? [] : [kafka]),
    },
  ],
  exports: [PipelineLifecycle],
})
export class PipelineModule {}
