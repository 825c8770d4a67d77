import type { BackPressureController } from '#libs/back-pressure';
import type { Clock, RandomSource } from '#libs/flow-control';

/** What every stage stands on: who grants credits, time and chance. Made once by the pipeline's module. */
export class StageRuntime {
  constructor(
    readonly controller: BackPressureController,
    readonly clock: Clock,
    readonly random: RandomSource,
  ) {}
}
