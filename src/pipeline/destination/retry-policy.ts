import {
  type Backoff,
  type Clock,
  fullJitterBackoff,
  type RandomSource,
  RetryBudget,
  type RetryBudgetSnapshot,
} from '#libs/flow-control';
import type { OutagePolicy } from './destination-guard.options.js';
import type { FailedAttemptEnd } from './destinations.js';
import { asOutage, type Failure } from './failure.js';
import type { PipelineRecord } from '../record.js';
import type { StageId } from '../stage.js';

export interface RetryPolicyOptions {
  readonly stage: StageId;
  /** Name of the destination, as the books know it. */
  readonly destination: string;
  /** Attempts in all, the first one included. */
  readonly maxAttempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  readonly outagePolicy: OutagePolicy;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** What a record carries through its attempts at one destination. */
export interface Attempts {
  readonly record: PipelineRecord;
  /** Failed attempts, those that cost nothing included: the back-off goes on doubling. */
  tries: number;
  /** Successes of the destination before the record's first attempt; −1 until that begins. */
  successesBefore: number;
}

/** Of a record that has not been tried. */
export function noAttempts(record: PipelineRecord): Attempts {
  return { record, tries: 0, successesBefore: NOT_BEGUN };
}

export const NOT_BEGUN = -1;

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
      readonly reason:
        'rejected' | 'attempts-used-up' | 'retry-budget' | 'unsafe-number' | 'pipeline';
    };

type DeadLetter = Extract<Consequence, { kind: 'dead-letter' }>;

/** A destination that asks for more than this is asked again anyway: the record holds a credit. */
const MAX_RETRY_AFTER_MS = 300_000;
/** Failed attempts that a record remembers. */
const MAX_FAILURES_KEPT = 20;
/** Characters of an error's text that are kept. */
const MAX_MESSAGE_LENGTH = 1000;

/**
 * Attempts at one destination: which of them count, when the next one comes, when there is none.
 *
 * `record.attempts` counts the attempts that cost one; a busy destination costs none, and neither does an outage under the
 * policy `hold`. Each retry that costs an attempt also costs one of the destination's budget: 20 % of its first attempts
 * and 3 a second (G1).
 */
export class RetryPolicy {
  readonly destination: string;
  private readonly backoff: Backoff;
  private readonly budget: RetryBudget;
  private readonly ends: Record<FailedAttemptEnd, number> = {
    retried: 0,
    'held-outage': 0,
    'held-busy': 0,
    rejected: 0,
    'attempts-used-up': 0,
    'retry-budget': 0,
    'unsafe-number': 0,
    pipeline: 0,
  };
  private successCount = 0;

  constructor(private readonly options: RetryPolicyOptions) {
    const { baseDelayMs, maxDelayMs, random, destination, clock } = options;
    this.destination = destination;
    this.budget = new RetryBudget({ clock });
    this.backoff = fullJitterBackoff({ baseMs: baseDelayMs, maxMs: maxDelayMs, random });
  }

  /** Failed attempts since the start, by what followed. */
  get failedAttempts(): Readonly<Record<FailedAttemptEnd, number>> {
    return { ...this.ends };
  }

  budgetSnapshot(): RetryBudgetSnapshot {
    return this.budget.snapshot();
  }

  /** Counts first attempts into the budget; called once for all records of a call. */
  firstAttempts(count: number): void {
    this.budget.firstAttempt(count);
  }

  /** Before an attempt. Returns whether it is the record's first. */
  begin(attempts: Attempts): boolean {
    if (attempts.successesBefore !== NOT_BEGUN) return false;
    attempts.record.attempts = 0;
    attempts.successesBefore = this.successCount;
    return true;
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
    const isCharged = failure.kind === 'outage' && this.options.outagePolicy === 'dead-letter';
    switch (isCharged ? 'retryable' : failure.kind) {
      case 'outage':
        return this.held('outage', delayMs);
      case 'busy':
        return this.held('busy', this.askedFor(failure) ?? delayMs);
      case 'final':
        record.attempts += 1;
        return this.deadLetter(failure.reason ?? 'rejected');
      case 'retryable':
        record.attempts += 1;
        return this.charged(record, delayMs);
    }
  }

  private held(by: 'outage' | 'busy', delayMs: number): Consequence {
    this.ends[`held-${by}`] += 1;
    return { kind: 'retry', delayMs, isHeld: true };
  }

  private charged({ attempts }: PipelineRecord, delayMs: number): Consequence {
    if (attempts >= this.options.maxAttempts) return this.deadLetter('attempts-used-up');
    if (!this.budget.tryRetry()) return this.deadLetter('retry-budget');
    this.ends.retried += 1;
    return { kind: 'retry', delayMs, isHeld: false };
  }

  private deadLetter(reason: DeadLetter['reason']): Consequence {
    this.ends[reason] += 1;
    return { kind: 'dead-letter', reason };
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
