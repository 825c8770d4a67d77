import { Module } from '@nestjs/common';
import { IngressStage } from './ingress.stage.js';

/** Needs StageRuntime, InFlight, Journal, PIPELINE_DEFINITION and INGRESS_OPTIONS from the pipeline's ports. */
@Module({ providers: [IngressStage], exports: [IngressStage] })
export class IngressModule {}
