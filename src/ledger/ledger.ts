import { Logger } from '@nestjs/common';
import type { ClientConfig } from 'pg';
import {
  type Backoff,
  BoundedSemaphore,
  type Clock,
  fullJitterBackoff,
  sleep,
} from '#libs/flow-control';
import type { Intake } from '../pipeline/intake.js';
import { Backlog } from './backlog.js';
import { int2Array } from './binary-array.js';
import { LedgerStoppedError } from './errors/ledger-stopped.error.js';
import { PartitionCountError } from './errors/partition-count.error.js';
import type { UnavailableReason } from './errors/ledger-unavailable.error.js';
import { JournalLevel } from './journal-level.js';
import { KafkaMarks } from './kafka-marks.js';
import { LedgerSessions } from './ledger-sessions.js';
import { Leases, type LeaseSettings, type LeaseTokens } from './leases.js';
import { asError, failureOf } from './sql-state.js';
import { LOAD_IDS } from './statements/lease.statements.js';
import { StateWaiters } from './state-waiters.js';
import { Watchdog } from './watchdog.js';

/** The part of Database that the ledger uses. */
export interface LedgerDatabase {
  clientConfig(applicationName: string): ClientConfig;
  /** Resolves when the schema is there. */
  whenReady(signal?: AbortSignal): Promise<void>;
}

export interface LedgerSettings extends LeaseSettings {
  readonly database: LedgerDatabase;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** How long an idempotency key is kept. */
  readonly idempotencyTtlHours: number;
  /** Names of the sinks that a record is delivered to. */
  readonly destinations: readonly string[];
}

/** The part of Intake that the ledger closes and opens. */
type IntakeGate = Pick<Intake, 'close' | 'open'>;

export interface LedgerClosed {
  readonly reason: UnavailableReason;
  readonly detail: string;
}

export interface LedgerListener {
  /** The books can be reached; what must be known before they are written is read now. Rejects: tried again. */
  opening?(): Promise<void>;
  /** What needs no lease can be entered: the ends of Kafka records. */
  writable?(): void;
  /** Ours are the partitions: everything can be entered. Called after `writable`, and before Intake opens. */
  opened?(): void;
  /** They can't: what waits unsent is to be refused, or to be kept waiting. */
  closed(closed: LedgerClosed): void;
  /** The leases were renewed: a good time to look for what was handed over. */
  renewed?(): void;
}

const RECONNECT_BASE_MS = 100;
const RECONNECT_MAX_MS = 2_000;
/** Group commit gives the acknowledgments one turn at a time, the books of Kafka a few. */
const MAX_WAITING_TURNS = 1_000;
/** Waiting for another replica's leases: looked at this often, so that a graceful stop there is noticed at once. */
const ELSEWHERE_POLL_MS = 1_000;

/**
 * Whether the books can be written, and by whom: connections, leases, and what was in doubt.
 *
 * States: closed → (connect → take all partitions → load what nobody here knows) → open → closed …
 *                                └─ they are another replica's → standby → (take …) → open
 *
 * G1 open means: connected, all partitions ours, every journal row of theirs known here (L2). Standby means: connected.
 *    Kafka's partitions have a fence of their own (the epoch), so their books are written in both: writable.
 * G2 whatever casts doubt on that (a lost connection, silence, a lease, an unknown flush) closes at once, and the way back
 *    is always the same: take the partitions, from ourselves if need be (O6), and load.
 * G3 closing refuses intake before anything else can be accepted; opening lets the backlog line up first.
 */
export class Ledger {
  readonly level: JournalLevel;
  readonly backlog: Backlog;
  readonly kafkaMarks = new KafkaMarks();
  /** Turns on the acknowledge connection: a transaction is not to be mixed with another's statements. */
  readonly acknowledging: BoundedSemaphore;
  readonly sessions: LedgerSessions;
  readonly watchdog: Watchdog;
  readonly instanceId: string;
  /** How long idempotency keys are kept, as an interval of PostgreSQL. */
  readonly idempotencyTtl: string;
  readonly destinations: readonly string[];
  private readonly leases: Leases;
  private readonly logger = new Logger('Ledger');
  private readonly listeners: LedgerListener[] = [];
  private readonly stopping = new AbortController();
  private readonly backoff: Backoff;
  private state: 'new' | 'closed' | 'standby' | 'open' | 'stopped' = 'new';
  private closedBy: LedgerClosed = {
    reason: 'database-away',
    detail: 'The database is not connected yet.',
  };
  private generations = 0;
  private hasPartitions = false;
  private readonly waiters = new StateWaiters();
  private wake: () => void = () => undefined;

  constructor(
    private readonly settings: LedgerSettings,
    private readonly intake: IntakeGate,
    private readonly clock: Clock,
    random: () => number,
  ) {
    this.instanceId = settings.instanceId;
    this.idempotencyTtl = `${settings.idempotencyTtlHours} hours`;
    this.destinations = settings.destinations;
    this.level = new JournalLevel(settings.maxRecords, settings.maxBytes);
    this.backlog = new Backlog(this.level);
    this.acknowledging = new BoundedSemaphore({
      name: 'ledger acknowledge',
      permits: 1,
      queueCapacity: MAX_WAITING_TURNS,
      clock,
    });
    this.sessions = new LedgerSessions(
      (name) => settings.database.clientConfig(name),
      (name, error) => this.away(`The ${name} connection was lost: ${error.message}`),
    );
    this.watchdog = new Watchdog({
      clock,
      probe: () => this.sessions.probe.query({ text: 'SELECT 1' }),
      onAway: (error) => this.away(error.message),
    });
    this.leases = new Leases(this.sessions, settings, clock, {
      lost: (detail) => this.doubt({ reason: 'partitions-elsewhere', detail }),
      renewed: () => this.renewed(),
    });
    const retry = { baseMs: RECONNECT_BASE_MS, maxMs: RECONNECT_MAX_MS, random };
    this.backoff = fullJitterBackoff(retry);
  }

  get isOpen(): boolean {
    return this.ownTokens() !== undefined;
  }

  /** Whether ends that need no lease can be entered. */
  get isWritable(): boolean {
    return this.state === 'standby' || this.state === 'open';
  }

  /** Why it is not open; meaningful while it isn't. */
  get closed(): LedgerClosed {
    return this.closedBy;
  }

  /** The tokens of all partitions while open. A lease that ran out unnoticed (a frozen process) closes here. */
  ownTokens(): LeaseTokens | undefined {
    if (this.state !== 'open') return undefined;
    const { tokens } = this.leases;
    if (tokens === undefined) {
      this.doubt({ reason: 'partitions-elsewhere', detail: 'The leases ran out.' });
    }
    return tokens;
  }

  /** Changes whenever tokens become invalid: an answer to older tokens says nothing about newer ones. */
  get generation(): number {
    return this.generations;
  }

  /** Monotonic ms until which the partitions are ours without a renewal. */
  get heldUntilMs(): number {
    return this.leases.heldUntilMs;
  }

  /** Resolves at once while open, else when it opens; rejects with LedgerStoppedError. */
  whenOpen(): Promise<void> {
    return this.when(() => this.isOpen);
  }

  /** The same for `isWritable`. */
  whenWritable(): Promise<void> {
    return this.when(() => this.isWritable);
  }

  listen(listener: LedgerListener): void {
    this.listeners.push(listener);
  }

  /**
   * Connects and takes the partitions; resolves when the books are writable for the first time, be the partitions ours or
   * not yet, or when `stop` came first. Rejects with PartitionCountError. `onSuperseded` is told when a newer process with
   * the same INSTANCE_ID has taken over: this one must end.
   */
  start(onSuperseded: (error: Error) => void): Promise<void> {
    this.state = 'closed';
    this.intake.close(this.closedBy.reason, this.closedBy.detail);
    return new Promise((resolve, reject) => {
      // A stop ends the second one.
      void this.whenWritable().then(resolve, () => undefined);
      this.keepOpen(onSuperseded).then(resolve, reject);
    });
  }

  /** Gives the leases up and disconnects. Idempotent. */
  async stop(detail = 'The service is stopping.'): Promise<void> {
    if (this.state === 'stopped') return;
    const wasOpen = this.state === 'open';
    this.shut({ reason: 'stopping', detail });
    this.state = 'stopped';
    this.stopping.abort();
    this.wake();
    this.waiters.reject(new LedgerStoppedError());
    // A server that is silent now must not hold the stop: the watchdog cuts the connections.
    const watch = this.watchdog.watch();
    try {
      if (wasOpen) await this.leases.release();
      await this.sessions.close();
    } catch (error) {
      // The database is away: the leases expire by themselves.
      this.logger.warn(`Stopped without giving the leases up: ${asError(error).message}`);
      this.sessions.destroy();
    } finally {
      watch.done();
      this.watchdog.stop();
    }
  }

  /** The outcome of a flush is unknown, or partitions are lost: closes, and settles what is in doubt. */
  doubt(closed: LedgerClosed): void {
    if (!this.isWritable) return;
    this.logger.warn(`Intake is closed: ${closed.detail}`);
    this.shut(closed);
    this.wake();
  }

  /** The flush under way is stuck in a server that lives. */
  async tooSlow(): Promise<void> {
    this.intake.close('too-slow', 'The database takes longer than 5 s to store records.');
    try {
      await this.sessions.endFlush();
    } catch (error) {
      this.away(asError(error).message);
    }
  }

  private when(isMet: () => boolean): Promise<void> {
    if (this.state === 'stopped') return Promise.reject(new LedgerStoppedError());
    return this.waiters.when(isMet);
  }

  private away(detail: string): void {
    this.watchdog.stop();
    // First the state, so that the lost connections that follow are no news.
    this.doubt({ reason: 'database-away', detail });
    this.sessions.destroy();
  }

  private shut(closed: LedgerClosed): void {
    if (this.isWritable) this.state = 'closed';
    this.generations += 1;
    this.closedBy = closed;
    this.intake.close(closed.reason, closed.detail);
    for (const listener of this.listeners) listener.closed(closed);
  }

  private async keepOpen(onSuperseded: (error: Error) => void): Promise<void> {
    while (this.state !== 'stopped') {
      await this.open(onSuperseded);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        if (this.state !== 'open') resolve();
      });
    }
  }

  private async open(onSuperseded: (error: Error) => void): Promise<void> {
    let failures = 0;
    while (this.state === 'closed' || this.state === 'standby') {
      try {
        const waitMs = await this.tryOpen(onSuperseded);
        failures = 0;
        if (waitMs > 0) await this.pause(waitMs);
      } catch (error) {
        if (error instanceof PartitionCountError) {
          await this.stop();
          throw error;
        }
        failures += 1;
        this.stayClosed(error);
        await this.pause(this.backoff.delayMs(failures));
      }
    }
  }

  /** Returns 0 when open (or stopped), else how long to wait before the next try. */
  private async tryOpen(onSuperseded: (error: Error) => void): Promise<number> {
    if (!this.hasPartitions) await this.settings.database.whenReady(this.stopping.signal);
    await this.sessions.open();
    this.watchdog.start();
    if (!this.hasPartitions) await this.leases.ensurePartitions();
    this.hasPartitions = true;
    const result = await this.leases.take();
    if (result.kind === 'superseded') {
      const message = `A newer process with INSTANCE_ID ${this.instanceId} has taken over; this one stops.`;
      await this.stop(message);
      onSuperseded(new Error(message));
      return 0;
    }
    if (result.kind === 'elsewhere') {
      const detail = `The partitions belong to ${result.owner} for ${result.expiresInMs} ms more.`;
      this.closedBy = { reason: 'partitions-elsewhere', detail };
      this.intake.close('partitions-elsewhere', detail);
      this.intake.open('database-away');
      await this.standBy();
      return Math.min(ELSEWHERE_POLL_MS, result.expiresInMs + 1);
    }
    await this.load();
    return 0;
  }

  private async load(): Promise<void> {
    const partitions = Array.from({ length: this.settings.partitions }, (_, index) => index);
    const { rows } = await this.sessions.flush.query<[string, number]>(LOAD_IDS, [
      int2Array(partitions),
    ]);
    const wasWritable = this.isWritable;
    if (!wasWritable && !(await this.prepare())) return;
    this.backlog.add(rows.map(([id, sizeBytes]) => ({ id, sizeBytes })));
    this.leases.hold();
    // What was sent without tokens is to be sent again with them.
    this.generations += 1;
    this.state = 'open';
    if (!wasWritable) for (const listener of this.listeners) listener.writable?.();
    for (const listener of this.listeners) listener.opened?.();
    this.waiters.look();
    for (const reason of ['database-away', 'partitions-elsewhere', 'too-slow'] as const) {
      this.intake.open(reason);
    }
  }

  private async standBy(): Promise<void> {
    if (this.isWritable || !(await this.prepare())) return;
    this.state = 'standby';
    for (const listener of this.listeners) listener.writable?.();
    this.waiters.look();
  }

  /** False when a loss meanwhile has closed all connections. */
  private async prepare(): Promise<boolean> {
    for (const listener of this.listeners) await listener.opening?.();
    return this.state === 'closed' && this.sessions.probe.isOpen;
  }

  private stayClosed(error: unknown): void {
    if (this.state !== 'closed') return;
    const isAway = failureOf(error) === 'away';
    const detail = isAway ? 'The database does not answer.' : asError(error).message;
    // An outage of hours is one line, not one every two seconds.
    if (detail !== this.closedBy.detail) {
      this.logger.warn(`The books stay closed: ${asError(error).message}`);
    }
    this.closedBy = { reason: 'database-away', detail };
    this.intake.close('database-away', detail);
  }

  private async pause(delayMs: number): Promise<void> {
    try {
      await sleep(this.clock, delayMs, this.stopping.signal);
    } catch {
      // Stopped: the loop around sees it.
      return;
    }
  }

  private renewed(): void {
    for (const listener of this.listeners) listener.renewed?.();
  }
}
