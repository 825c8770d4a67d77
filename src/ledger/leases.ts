import type { Clock, Timer } from '#libs/flow-control';
import { int2Array, int8Array } from './binary-array.js';
import { PartitionCountError } from './errors/partition-count.error.js';
import type { LedgerSessions } from './ledger-sessions.js';
import { sqlStateOf } from './sql-state.js';
import * as sql from './statements/lease.statements.js';

export interface LeaseSettings {
  readonly instanceId: string;
  /** Of this process: the same instance started again is another one. */
  readonly bootId: string;
  readonly leaseMs: number;
  readonly partitions: number;
}

export type TakeResult =
  | { readonly kind: 'held' }
  /** Another live replica has some; the rest is ours meanwhile. */
  | { readonly kind: 'elsewhere'; readonly owner: string; readonly expiresInMs: number }
  /** A newer process with our INSTANCE_ID took over what we had. */
  | { readonly kind: 'superseded'; readonly owner: string };

/** What a flush or an acknowledgment passes to show that it owns its partitions. */
export interface LeaseTokens {
  readonly array: Buffer;
  readonly partitions: ReadonlySet<number>;
}

const LOCK_NOT_AVAILABLE = '55P03';
/**
 * Renewals per lease. A destination may take two thirds of it to answer, so deliveries go on for one third after a renewal:
 * time for two of them, and a healthy process never holds one back.
 */
const RENEWALS_PER_LEASE = 6;

/**
 * Ownership of KeyGen's partitions, all of them or none (LEDGER-NOTES §4).
 *
 * O4 a token is given out only after what its partition holds was loaded: the caller takes, loads, then calls `hold`.
 * O6 `take` takes from this process too: the new token is a barrier behind which no older flush can commit as owner.
 * O7 the lease ends, for us, its length after the last good renewal was *sent*, by the monotonic clock.
 */
export class Leases {
  private taken = new Map<number, bigint>();
  private held: LeaseTokens | undefined;
  private sentAtMs = -Infinity;
  private hasHeld = false;
  private renewTimer: Timer | undefined;

  constructor(
    private readonly sessions: LedgerSessions,
    private readonly settings: LeaseSettings,
    private readonly clock: Clock,
    private readonly on: {
      /** Partitions are lost, or may be: nothing may be flushed as their owner. */
      readonly lost: (detail: string) => void;
      readonly renewed: () => void;
    },
  ) {}

  /** The tokens, while all partitions are ours for certain. */
  get tokens(): LeaseTokens | undefined {
    return this.clock.now() < this.heldUntilMs ? this.held : undefined;
  }

  /** Monotonic ms at which the leases end unless they are renewed before. */
  get heldUntilMs(): number {
    return this.held === undefined ? -Infinity : this.sentAtMs + this.settings.leaseMs;
  }

  /** Makes the rows of the partitions. Another number of them needs an empty journal: PartitionCountError. */
  async ensurePartitions(): Promise<void> {
    const { lease } = this.sessions;
    if ((await this.count(sql.COUNT_PARTITIONS)) === this.settings.partitions) return;
    await lease.query({ text: 'BEGIN' });
    try {
      await lease.query(sql.LOCK_PARTITIONS);
      const stored = await this.count(sql.COUNT_PARTITIONS);
      const records = await this.count(sql.COUNT_JOURNAL);
      const { partitions } = this.settings;
      if (stored !== 0 && stored !== partitions && records > 0) {
        throw new PartitionCountError(stored, partitions, records);
      }
      await lease.query(sql.ADD_PARTITIONS, [partitions]);
      await lease.query(sql.REMOVE_PARTITIONS, [partitions]);
      await lease.query({ text: 'COMMIT' });
    } catch (error) {
      if (lease.isOpen) await lease.query({ text: 'ROLLBACK' });
      throw error;
    }
  }

  /** Takes every partition that is ours, free or expired. Nobody holds a token of ours after it but by `hold`. */
  async take(): Promise<TakeResult> {
    this.drop();
    this.sentAtMs = this.clock.now();
    const missing: number[] = [];
    for (let partition = 0; partition < this.settings.partitions; partition += 1) {
      const token = await this.takeOne(partition);
      if (token === undefined) missing.push(partition);
      else this.taken.set(partition, token);
    }
    this.sessions.forgetLostFlushes();
    if (missing.length === 0) return { kind: 'held' };
    const { rows } = await this.sessions.lease.query<[string, number]>(sql.OWNERS, [
      int2Array(missing),
    ]);
    const [owner, expiresInMs] = rows[0] ?? ['', 0];
    const isSuccessor = this.hasHeld && instanceOf(owner) === this.settings.instanceId;
    return isSuccessor ? { kind: 'superseded', owner } : { kind: 'elsewhere', owner, expiresInMs };
  }

  /** Starts to give out the tokens of the last `take`, and to renew them. */
  hold(): void {
    this.held = {
      array: int8Array([...this.taken.values()]),
      partitions: new Set(this.taken.keys()),
    };
    this.hasHeld = true;
    this.scheduleRenewal();
  }

  /** Stops to give out tokens; the rows stay ours until they expire. Idempotent. */
  drop(): void {
    this.renewTimer?.cancel();
    this.held = undefined;
    this.taken = new Map();
  }

  /** Gives the partitions up, so that another replica need not wait for the expiry. */
  async release(): Promise<void> {
    const tokens = int8Array([...this.taken.values()]);
    this.drop();
    await this.sessions.lease.query(sql.GIVE_UP, [tokens]);
  }

  private async takeOne(partition: number): Promise<bigint | undefined> {
    const { instanceId, bootId, leaseMs } = this.settings;
    const owner = `${instanceId}#${bootId}`;
    // Only a process that has never held them succeeds its own instance; else two would take turns for ever.
    const succeeded = this.hasHeld ? null : instanceId;
    const values = [partition, owner, leaseMs, succeeded];
    try {
      const { rows } = await this.sessions.lease.query<[string]>(sql.TAKE, values);
      return rows[0] && BigInt(rows[0][0]);
    } catch (error) {
      if (sqlStateOf(error) !== LOCK_NOT_AVAILABLE) throw error;
      await this.sessions.endLostFlushes();
      const { rows } = await this.sessions.lease.query<[string]>(sql.TAKE, values);
      return rows[0] && BigInt(rows[0][0]);
    }
  }

  private async count(statement: { readonly text: string }): Promise<number> {
    const { rows } = await this.sessions.lease.query<[number]>(statement);
    return rows[0]?.[0] ?? 0;
  }

  private scheduleRenewal(): void {
    this.renewTimer?.cancel();
    const delayMs = this.settings.leaseMs / RENEWALS_PER_LEASE;
    this.renewTimer = this.clock.setTimer(delayMs, () => void this.renew());
  }

  private async renew(): Promise<void> {
    const { held } = this;
    if (held === undefined) return;
    const sentAtMs = this.clock.now();
    try {
      const { rows } = await this.sessions.lease.query<[number]>(sql.RENEW, [
        held.array,
        this.settings.leaseMs,
      ]);
      if (this.held !== held) return;
      if (rows.length < held.partitions.size || sentAtMs >= this.heldUntilMs) {
        this.on.lost('Another replica has taken partitions of this one.');
        return;
      }
      this.sentAtMs = sentAtMs;
      this.scheduleRenewal();
      this.on.renewed();
    } catch (error) {
      if (this.held === held) this.on.lost(`The lease could not be renewed: ${String(error)}.`);
    }
  }
}

function instanceOf(owner: string): string {
  return owner.replace(/#[^#]*$/, '');
}
