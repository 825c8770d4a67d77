import { type Backoff, type Clock, fullJitterBackoff, type RandomSource } from '#libs/flow-control';
import { asOutage, type Failure } from './failure.js';
import type { PipelineRecord } from './record.js';
import type { StageId } from './stage.js';

export interface RetryPolicyOptions {
  readonly stage: StageId;
  /** Name of the destination, as the books know it. */
  readonly destination: string;
  /** Attempts in all, the first one included. */
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** What a record carries through its attempts at one destination. */
export interface Attempts {
  readonly record: PipelineRecord;
  /** Failed attempts, those that cost nothing included: the back-off goes on doubling. */
  tries: number;
  /** Successes of the destination before the record's first attempt. */
  readonly successesBefore: number;
}

/** What follows from a failed attempt. */
export type Consequence =
  | {
      readonly kind: 'retry';
      readonly delayMs: number;
      /** The destination is away or busy: it is not this record. */
      readonly isHeld: boolean;
    }
  | {
      readonly kind: 'dead-letter';
      readonly reason: 'rejected' | 'attempts-used-up' | 'unsafe-number';
    };

/** A destination that asks for more than this is asked again anyway: the record holds a credit. */
const MAX_RETRY_AFTER_MS = 300_000;
/** Failed attempts that a record remembers. */
const MAX_FAILURES_KEPT = 20;
/** Characters of an error's text that are kept. */
const MAX_MESSAGE_LENGTH = 1000;

/**
 * Attempts at one destination: which of them count, when the next one comes, when there is none.
 *
 * `record.attempts` counts the attempts that cost one; an outage and a busy destination cost none.
 */
export class RetryPolicy {
  readonly destination: string;
  private readonly backoff: Backoff;
  private successCount = 0;

  constructor(private readonly options: RetryPolicyOptions) {
    const { baseDelayMs, maxDelayMs, random, destination } = options;
    this.destination = destination;
    this.backoff = fullJitterBackoff({ baseMs: baseDelayMs, maxMs: maxDelayMs, random });
  }

  /** Before the first attempt of a record. */
  begin(record: PipelineRecord): Attempts {
    record.attempts = 0;
    return { record, tries: 0, successesBefore: this.successCount };
  }

  succeeded(attempts: Attempts): void {
    this.successCount += 1;
    attempts.record.attempts += 1;
  }

  failed(attempts: Attempts, reported: Failure): Consequence {
    const { record, successesBefore } = attempts;
    const failure = asOutage(reported, this.successCount > successesBefore);
    attempts.tries += 1;
    this.remember(record, failure);
    const delayMs = this.backoff.delayMs(attempts.tries);
    switch (failure.kind) {
      case 'outage':
        return { kind: 'retry', delayMs, isHeld: true };
      case 'busy':
        return { kind: 'retry', delayMs: this.askedFor(failure) ?? delayMs, isHeld: true };
      case 'final':
        record.attempts += 1;
        return { kind: 'dead-letter', reason: failure.reason ?? 'rejected' };
      case 'retryable':
        record.attempts += 1;
        return record.attempts < this.options.maxAttempts
          ? { kind: 'retry', delayMs, isHeld: false }
          : { kind: 'dead-letter', reason: 'attempts-used-up' };
    }
  }

  /** What the destination asks for, within bounds: `Retry-After: 0` must not become a loop, nor a year a lost credit. */
  private askedFor({ retryAfterMs }: Failure): number | undefined {
    if (retryAfterMs === undefined) return undefined;
    return Math.min(Math.max(retryAfterMs, this.options.baseDelayMs), MAX_RETRY_AFTER_MS);
  }

  private remember(record: PipelineRecord, { message, status }: Failure): void {
    const { clock, stage, destination } = this.options;
    const failures = (record.failures ??= []);
    if (failures.length === MAX_FAILURES_KEPT) failures.shift();
    failures.push({
      atMs: clock.wallNow(),
      stage,
      destination,
      error: storable(message),
      ...(status === undefined ? {} : { status }),
    });
  }
}

/** An error's text as the books can keep it: PostgreSQL takes neither U+0000 nor half a surrogate pair. */
export function storable(message: string): string {
  const wellFormed = Buffer.from(message.slice(0, MAX_MESSAGE_LENGTH)).toString();
  return wellFormed.replaceAll('\u0000', '\uFFFD');
}
