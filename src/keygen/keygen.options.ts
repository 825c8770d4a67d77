import { flag, options, type OptionsOf, ratio, wholeNumber } from '../config/option.js';

export const keygenOptions = options('KEYGEN', {
  bufferSize: wholeNumber({ min: 1 })
    .default(2000)
    .describe('Credits of the stage: records that may be inside it.'),
  creditReplenishRate: wholeNumber({ min: 1 })
    .default(200)
    .describe('Credits per second by which the stage reopens after a stall.'),
  trigger: ratio()
    .default(0.8)
    .describe('Share of the waiting line above which the stage raises its trigger.'),
  latencyTargetMs: wholeNumber({ min: 1 })
    .default(1000)
    .describe('Time in the stage that counts as full pressure.'),
  numberOfPartitions: wholeNumber({ min: 1, max: 32_767 })
    .default(10)
    .describe('Partitions over which keys are spread; the unit of ownership and order.'),
  enableLoadAwareness: flag()
    .default(true)
    .describe(
      'Places records without a key by power of two choices among the partitions; off: in turn.',
    ),
  loadImbalanceThreshold: wholeNumber({ min: 1 })
    .default(1000)
    .describe('Difference in records in flight between two partitions that raises `imbalance`.'),
  maxQueueSize: wholeNumber({ min: 0 })
    .default(2000)
    .describe('Records that may wait inside the stage for IngressProcessing; more are refused.'),
  rebalanceKeys: flag()
    .default(false)
    .describe(
      'Places a key with nothing in flight away from a partition that is above the imbalance threshold.',
    ),
});
export type KeyGenOptions = OptionsOf<typeof keygenOptions>;
export const KEYGEN_OPTIONS = Symbol('KEYGEN_OPTIONS');
