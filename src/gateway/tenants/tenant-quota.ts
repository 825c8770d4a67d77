import { RateLimitedError } from '#libs/back-pressure';
import type { TenantRule } from '../../config/tenants-file.js';
import { PRIORITIES, type Priority } from '../../pipeline/record.js';
import type { RecordRate } from './record-rate.js';

/** Room comes with an end of one of the tenant's records; nobody can say when. */
const IN_FLIGHT_RETRY_MS = 1000;

/**
 * What one tenant has of what its rule allows.
 *
 * TQ1 a record has a place from before its admission to its end, or until it is refused; at most `maxInFlight` have one.
 */
export class TenantQuota {
  private placesTaken = 0;

  constructor(
    readonly tenant: string,
    private readonly rule: TenantRule,
    /** Of the tenant, and of all; that of all alone for a tenant whose rate is not limited. */
    readonly rate: RecordRate,
  ) {}

  /** Records that have a place: in flight, or being accepted. */
  get inFlight(): number {
    return this.placesTaken;
  }

  /** Takes as many places as there are, at most `count`. */
  takePlaces(count: number): number {
    const { maxInFlight = Infinity } = this.rule;
    const taken = Math.max(0, Math.min(count, maxInFlight - this.placesTaken));
    this.placesTaken += taken;
    return taken;
  }

  /** For records that an earlier run has accepted: they have their place, be there room or not. */
  resume(count: number): void {
    this.placesTaken += count;
  }

  leave(count: number): void {
    this.placesTaken -= count;
  }

  /** The refusal of a record that finds no place. */
  full(): RateLimitedError {
    const limit = this.rule.maxInFlight ?? Infinity;
    const signal = 'tenant-in-flight';
    return new RateLimitedError({
      stage: 'Gateway',
      signal,
      retryAfterMs: IN_FLIGHT_RETRY_MS,
      detail: `The tenant ${this.tenant} has ${limit} records in flight, which is the most it may have.`,
      quota: { name: signal, limit },
    });
  }

  /** What is above the tenant's highest priority counts as that. */
  lowered(priority: Priority): Priority {
    const { highestPriority } = this.rule;
    if (highestPriority === undefined) return priority;
    return isAbove(priority, highestPriority) ? highestPriority : priority;
  }
}

/** PRIORITIES begins with the highest. */
function isAbove(priority: Priority, other: Priority): boolean {
  return PRIORITIES.indexOf(priority) < PRIORITIES.indexOf(other);
}
