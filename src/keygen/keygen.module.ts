import { Module } from '@nestjs/common';
import { KeyGenStage } from './keygen.stage.js';

/** Needs StageRuntime, InFlight, PIPELINE_DEFINITION and KEYGEN_OPTIONS from the pipeline's ports. */
@Module({ providers: [KeyGenStage], exports: [KeyGenStage] })
export class KeyGenModule {}
