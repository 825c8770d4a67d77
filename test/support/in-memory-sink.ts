import type { Failure } from '../../src/pipeline/destination/failure.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import type { DeliveryOutcome, Sink } from '../../src/final-sink/sinks/sink.js';

export interface InMemorySinkOptions {
  readonly isOrdered?: boolean;
  readonly maxBatchRecords?: number;
  readonly name?: string;
}

const ACKNOWLEDGED: DeliveryOutcome = { kind: 'acknowledged' };

/** A destination in memory: what it has, and how it answers. */
export class InMemorySink implements Sink {
  readonly name: string;
  readonly endsRecords = false;
  readonly repeats = false;
  readonly isOrdered: boolean;
  readonly maxBatchRecords: number;
  /** Ids in the order in which they arrived, repetitions included. */
  readonly arrivals: string[] = [];
  /** What it holds, by id. */
  readonly rows = new Map<string, PipelineRecord>();
  readonly batches: number[] = [];
  calls = 0;
  mostCallsAtOnce = 0;
  state: 'new' | 'started' | 'stopped' = 'new';
  /** How a record is answered; a promise answers later, `undefined` when the call's signal is aborted. */
  answer: (record: PipelineRecord) => DeliveryOutcome | Promise<DeliveryOutcome> | undefined = () =>
    ACKNOWLEDGED;

  constructor({
    isOrdered = true,
    maxBatchRecords = 1000,
    name = 'memory',
  }: InMemorySinkOptions = {}) {
    this.name = name;
    this.isOrdered = isOrdered;
    this.maxBatchRecords = maxBatchRecords;
  }

  async deliver(
    records: readonly PipelineRecord[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<readonly DeliveryOutcome[]> {
    this.batches.push(records.length);
    this.calls += 1;
    this.mostCallsAtOnce = Math.max(this.mostCallsAtOnce, this.calls);
    const failedKeys = new Set<string>();
    const outcomes: DeliveryOutcome[] = [];
    for (const record of records) {
      const isBehind = record.key !== undefined && failedKeys.has(record.key);
      const outcome = isBehind ? notDelivered : await this.outcomeOf(record, signal);
      if (outcome.kind === 'acknowledged') this.keep(record);
      else if (outcome.failure.kind !== 'final' && record.key !== undefined) {
        failedKeys.add(record.key);
      }
      outcomes.push(outcome);
    }
    this.calls -= 1;
    return outcomes;
  }

  async start(): Promise<void> {
    this.state = 'started';
  }

  async stop(): Promise<void> {
    this.state = 'stopped';
  }

  private keep(record: PipelineRecord): void {
    this.arrivals.push(record.id);
    this.rows.set(record.id, record);
  }

  private outcomeOf(
    record: PipelineRecord,
    signal: AbortSignal,
  ): DeliveryOutcome | Promise<DeliveryOutcome> {
    return this.answer(record) ?? untilAborted(signal);
  }
}

export function failed(kind: Failure['kind'], more: Partial<Failure> = {}): DeliveryOutcome {
  return { kind: 'failed', failure: { kind, message: `The sink says ${kind}.`, ...more } };
}

const notDelivered = failed('retryable', { message: 'An earlier record of the key failed.' });

function untilAborted(signal: AbortSignal): Promise<DeliveryOutcome> {
  const aborted = failed('retryable', { message: 'Aborted.', isTimeout: true });
  if (signal.aborted) return Promise.resolve(aborted);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(aborted), { once: true });
  });
}
