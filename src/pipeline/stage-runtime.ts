import type { BackPressureController } from '#libs/back-pressure';
import type { Clock, RandomSource } from '#libs/flow-control';
import { Destinations } from './destination/destinations.js';
import { LiveLimits } from './live-limits.js';
import { PartitionCounts } from './partition-counts.js';
import { Pauses } from './pauses.js';

/**
 * What every stage stands on: who grants credits, time, chance, where to show destinations, and what operators say and
 * see. Made once by the pipeline's module.
 */
export class StageRuntime {
  readonly pauses = new Pauses();
  readonly limits = new LiveLimits();
  readonly partitions = new PartitionCounts();

  constructor(
    readonly controller: BackPressureController,
    readonly clock: Clock,
    readonly random: RandomSource,
    readonly destinations: Destinations = new Destinations(),
  ) {}
}
