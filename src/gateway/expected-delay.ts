import type { BackPressureController } from '#libs/back-pressure';

const MS_PER_SECOND = 1000;

/**
 * How long a record takes now from its admission to its end, as far as that can be measured: by Little's law, the records
 * in the pipeline over those that end a second. While none ends, the oldest one inside says it: longer than that.
 */
export function expectedDelayMs(controller: BackPressureController): number {
  const { outstanding, oldestMs } = controller.credits('pipeline');
  if (outstanding === 0) return 0;
  const perSecond = controller.getPipelineStatus().stages.at(-1)?.perSecond ?? 0;
  return perSecond > 0 ? (outstanding / perSecond) * MS_PER_SECOND : oldestMs;
}
