import type { Clock, Timer } from '#libs/flow-control';
import type { PipelineRecord } from './record.js';

/** Of a record without a deadline. */
export const NEVER_MS = Infinity;

/** Why a record was discarded whose deadline had passed. */
export const EXPIRED = 'expired';

/** Whether the record's deadline has passed. */
export function hasExpired({ expiresAtMs }: PipelineRecord, clock: Clock): boolean {
  return expiresAtMs !== NEVER_MS && clock.wallNow() >= expiresAtMs;
}

/** What a stage holds of a record. */
interface Holder {
  readonly record: PipelineRecord;
}

/**
 * The deadlines of what a stage holds, so that a record ends on its own one while it waits behind something that does not
 * move: an open breaker, a back-off, an earlier record of its key.
 *
 * EX1 `onDue` is told of items whose deadline has passed, in one call for those that are due together. Those that run are
 *     among them: nothing is taken from a running attempt, its stage asks `hasExpired` when it has failed.
 * EX2 records without a deadline cost a comparison: no entry, no timer. Of the others one timer serves all.
 * Bounded by the stage's credits: every item holds one.
 */
export class Expiry<T extends Holder> {
  private readonly dated = new Set<T>();
  private timer: Timer | undefined;
  private timerMs = NEVER_MS;

  constructor(
    private readonly clock: Clock,
    private readonly onDue: (due: ReadonlySet<T>) => void,
  ) {}

  add(item: T): void {
    const { expiresAtMs } = item.record;
    if (expiresAtMs === NEVER_MS) return;
    this.dated.add(item);
    if (expiresAtMs < this.timerMs) this.arm(expiresAtMs);
  }

  /** The stage holds it no more. */
  remove(item: T): void {
    if (item.record.expiresAtMs !== NEVER_MS) this.dated.delete(item);
  }

  hasExpired(item: T): boolean {
    return hasExpired(item.record, this.clock);
  }

  /** Those whose deadline has not passed; of the others `onLate` is told. */
  fresh(items: readonly T[], onLate: (item: T) => void): readonly T[] {
    if (!items.some((item) => this.hasExpired(item))) return items;
    const [fresh, late]: [T[], T[]] = [[], []];
    for (const item of items) (this.hasExpired(item) ? late : fresh).push(item);
    for (const item of late) onLate(item);
    return fresh;
  }

  /** Forgets everything. */
  stop(): void {
    this.timer?.cancel();
    this.dated.clear();
  }

  private arm(expiresAtMs: number): void {
    this.timer?.cancel();
    this.timerMs = expiresAtMs;
    // The clock may cut a long delay: what fires early finds nothing and is set anew.
    this.timer = this.clock.setTimer(expiresAtMs - this.clock.wallNow(), () => this.fire());
  }

  private fire(): void {
    this.timerMs = NEVER_MS;
    const nowMs = this.clock.wallNow();
    const due = new Set<T>();
    let nextMs = NEVER_MS;
    for (const item of this.dated) {
      const { expiresAtMs } = item.record;
      if (expiresAtMs > nowMs) nextMs = Math.min(nextMs, expiresAtMs);
      else due.add(item);
    }
    // Told once: one that runs is asked about when its attempt has ended.
    for (const item of due) this.dated.delete(item);
    if (nextMs !== NEVER_MS) this.arm(nextMs);
    if (due.size > 0) this.onDue(due);
  }
}

/** Takes the items of `due` out of `line`, in order. */
export function takeDue<T>(line: T[], due: ReadonlySet<T>): T[] {
  const taken = line.filter((item) => due.has(item));
  if (taken.length === 0) return taken;
  const kept = line.filter((item) => !due.has(item));
  line.splice(0, line.length, ...kept);
  return taken;
}
