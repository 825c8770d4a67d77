import { Injectable } from '@nestjs/common';
import { BackPressureController } from '#libs/back-pressure';
import { StageRuntime } from '../pipeline/stage-runtime.js';

/** Critical pressure for longer than this is no burst. */
export const SUSTAINED_AFTER_MS = 30_000;

/** How long the pipeline's pressure has been critical. */
@Injectable()
export class SustainedPressure {
  private criticalSinceMs: number | undefined;

  constructor(
    controller: BackPressureController,
    private readonly runtime: StageRuntime,
  ) {
    controller.events.on('level', ({ of, to }) => {
      if (of !== 'pipeline') return;
      this.criticalSinceMs = to === 'critical' ? this.runtime.clock.now() : undefined;
    });
  }

  /** 0 while it is not. */
  criticalForMs(): number {
    const since = this.criticalSinceMs;
    return since === undefined ? 0 : this.runtime.clock.now() - since;
  }
}
