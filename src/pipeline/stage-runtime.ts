import type { BackPressureController } from '#libs/back-pressure';
import type { Clock, RandomSource } from '#libs/flow-control';
import { Destinations } from './destinations.js';

/** What every stage stands on: who grants credits, time, chance, and where to show destinations. Made once by the pipeline's module. */
export class StageRuntime {
  constructor(
    readonly controller: BackPressureController,
    readonly clock: Clock,
    readonly random: RandomSource,
    readonly destinations: Destinations = new Destinations(),
  ) {}
}
