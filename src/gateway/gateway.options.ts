import { options, type OptionsOf, ratio, wholeNumber } from '../config/option.js';

export const gatewayOptions = options('GATEWAY', {
  bufferSize: wholeNumber({ min: 1 })
    .default(1000)
    .describe('Credits of the stage: records that may be inside it.'),
  creditReplenishRate: wholeNumber({ min: 1 })
    .default(100)
    .describe('Credits per second by which the stage reopens after a stall.'),
  trigger: ratio()
    .default(0.7)
    .describe('Share of the waiting line or of the credits above which the stage throttles early.'),
  latencyTargetMs: wholeNumber({ min: 1 })
    .optional()
    .describe(
      'Time from admission to answer that counts as full pressure. Absent: GATEWAY_SLOW_PROCESSING_THRESHOLD_MS.',
    ),
  maxRequestsPerSecond: wholeNumber({ min: 0 })
    .default(1000)
    .describe('REST records admitted per second, those of batches included; 0: no limit.'),
  maxConcurrentRequests: wholeNumber({ min: 1 })
    .default(100)
    .describe('Requests, and slices of streams, that are worked on at a time.'),
  maxQueueSize: wholeNumber({ min: 0 })
    .default(1000)
    .describe('Requests that may wait for a permit or for credits; one more is refused.'),
  maxStreams: wholeNumber({ min: 0 })
    .default(20)
    .describe('NDJSON streams that may be open at a time; one more is refused.'),
  slowProcessingThresholdMs: wholeNumber({ min: 1 })
    .default(100)
    .describe('Requests that take longer from admission to answer are counted as slow.'),
});
export type GatewayOptions = OptionsOf<typeof gatewayOptions>;
export const GATEWAY_OPTIONS = Symbol('GATEWAY_OPTIONS');

/** What counts as full pressure by latency. */
export function gatewayLatencyTargetMs(options: GatewayOptions): number {
  return options.latencyTargetMs ?? options.slowProcessingThresholdMs;
}
