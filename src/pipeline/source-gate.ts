import { Inject, Injectable, Optional } from '@nestjs/common';
import { KafkaSource } from '#libs/kafka';
import { Intake } from './intake.js';
import { StageRuntime } from './stage-runtime.js';

/** The sources that a pause can name. */
export const SOURCES = ['rest', 'kafka'] as const;
export type SourceName = (typeof SOURCES)[number];

const PAUSED = 'An operator has paused the pipeline; what is inside goes on.';
const REST_PAUSED = 'An operator has paused the intake by REST; what is inside goes on.';

/** Makes the pauses of sources true: REST is answered 503 `paused`, Kafka is not fetched from. */
@Injectable()
export class SourceGate {
  constructor(
    runtime: StageRuntime,
    intake: Intake,
    @Optional() @Inject(KafkaSource) source: Pick<KafkaSource, 'pause' | 'resume'> | undefined,
  ) {
    const { pauses } = runtime;
    pauses.onChange(() => {
      if (pauses.isSourcePaused('rest')) {
        intake.close('paused', pauses.isPipelinePaused ? PAUSED : REST_PAUSED);
      } else intake.open('paused');
      if (pauses.isSourcePaused('kafka')) source?.pause('operator');
      else source?.resume('operator');
    });
  }
}
