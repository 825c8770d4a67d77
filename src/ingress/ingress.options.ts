import { flag, options, type OptionsOf, ratio, wholeNumber } from '../config/option.js';

export const ingressOptions = options('INGRESS', {
  bufferSize: wholeNumber({ min: 1 })
    .default(1500)
    .describe('Credits of the stage: records that may be inside it.'),
  creditReplenishRate: wholeNumber({ min: 1 })
    .default(150)
    .describe('Credits per second by which the stage reopens after a stall.'),
  trigger: ratio()
    .default(0.75)
    .describe('Share of the buffer above which the stage raises its trigger.'),
  latencyTargetMs: wholeNumber({ min: 1 })
    .default(1000)
    .describe('Time in the stage that counts as full pressure.'),
  maxBufferSize: wholeNumber({ min: 1 })
    .default(1500)
    .describe('Records between validation and AsyncEgress; more wait for room.'),
  bufferTimeoutMs: wholeNumber({ min: 1 })
    .default(1000)
    .describe('How long a record waits for room in the buffer before it is refused.'),
  enableValidation: flag()
    .default(true)
    .describe("Checks payloads against the pipeline's schema; off: every JSON value is valid."),
  enablePreprocessing: flag()
    .default(true)
    .describe("Runs the pipeline's preprocess; off: payloads are passed on as they came."),
});
export type IngressOptions = OptionsOf<typeof ingressOptions>;
export const INGRESS_OPTIONS = Symbol('INGRESS_OPTIONS');
