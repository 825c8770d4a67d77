import type { StageMeter } from '#libs/back-pressure';
import type { PipelineRecord } from '../pipeline/record.js';
import type { DeliveryCall } from './delivery-call.js';
import type { DeliveryContext, DeliveryOutcome, Sink } from './sinks/sink.js';

/** For a record that the sink has said nothing about. */
export const NO_OUTCOME = {
  kind: 'failed',
  failure: { kind: 'retryable', message: 'The sink gave no outcome.' },
} as const satisfies DeliveryOutcome;

/** Tells the guard how the call went. One acknowledged record is enough: the destination works. */
export function settleLeave({ leave }: DeliveryCall, outcomes: readonly DeliveryOutcome[]): void {
  if (leave === undefined) return;
  if (outcomes.some(({ kind }) => kind === 'acknowledged')) return leave.succeeded();
  const failures = outcomes.flatMap((each) => (each.kind === 'failed' ? each.failure : []));
  const worst = failures.find(({ kind }) => kind === 'outage' || kind === 'retryable');
  leave.failed(worst ?? failures[0] ?? NO_OUTCOME.failure);
}

/** Finds items by their records; most calls never ask. */
export function itemsByRecord<T extends { readonly record: PipelineRecord }>(
  batch: readonly T[],
): (record: PipelineRecord) => T | undefined {
  let items: Map<PipelineRecord, T> | undefined;
  return (record) => {
    items ??= new Map(batch.map((item) => [item.record, item]));
    return items.get(record);
  };
}

/** A sink that breaks its promise never to reject must not end the process. */
export async function answerOf(
  sink: Sink,
  records: readonly PipelineRecord[],
  context: DeliveryContext,
): Promise<readonly DeliveryOutcome[]> {
  try {
    return await sink.deliver(records, context);
  } catch (error) {
    const message = `The sink failed: ${String(error)}`;
    return records.map(() => ({ kind: 'failed', failure: { kind: 'retryable', message } }));
  }
}

/** At most once: the record has its end already, so a failure can only be counted. */
export function countLost(meter: StageMeter, outcomes: readonly DeliveryOutcome[]): void {
  const lost = outcomes.filter(({ kind }) => kind === 'failed').length;
  if (lost > 0) meter.failed(lost);
}
