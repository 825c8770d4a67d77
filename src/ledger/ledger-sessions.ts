import type { ClientConfig } from 'pg';
import { LedgerSession } from './ledger-session.js';

/** A flush or a transaction that waits longer for a lock gives up and tries again. */
const LOCK_TIMEOUT_MS = 5_000;
/** A take waits this long for a flush whose outcome is unknown; then that flush's back end is ended. */
const TAKE_LOCK_TIMEOUT_MS = 2_000;

/** The ledger's four connections: each has one kind of work, so none waits behind another's. */
export class LedgerSessions {
  readonly flush: LedgerSession;
  readonly acknowledge: LedgerSession;
  readonly lease: LedgerSession;
  /** Idle but for the watchdog's question whether the server answers. */
  readonly probe: LedgerSession;
  private readonly all: readonly LedgerSession[];
  /** Back ends of flush connections that were lost: one of them may still hold its locks. */
  private readonly lostFlushes = new Set<number>();

  constructor(
    configOf: (applicationName: string) => ClientConfig,
    onLost: (name: string, error: Error) => void,
  ) {
    const lost = (session: LedgerSession, error: Error): void => {
      if (session === this.flush) this.lostFlushes.add(session.pid);
      onLost(session.name, error);
    };
    const make = (name: string, lockTimeoutMs: number): LedgerSession =>
      new LedgerSession(name, configOf(applicationNameOf(name)), lockTimeoutMs, lost);
    this.flush = make('flush', LOCK_TIMEOUT_MS);
    this.acknowledge = make('acknowledge', LOCK_TIMEOUT_MS);
    this.lease = make('lease', TAKE_LOCK_TIMEOUT_MS);
    this.probe = make('probe', LOCK_TIMEOUT_MS);
    this.all = [this.flush, this.acknowledge, this.lease, this.probe];
  }

  /** Opens those that are closed. */
  async open(): Promise<void> {
    for (const session of this.all) await session.open();
  }

  destroy(): void {
    for (const session of this.all) session.destroy();
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((session) => session.close()));
  }

  /** Ends the back ends of lost flush connections, so that what they locked is free. */
  async endLostFlushes(): Promise<void> {
    await this.endBackends([...this.lostFlushes]);
  }

  /** Ends the back end of the flush under way; its query rejects. */
  async endFlush(): Promise<void> {
    await this.endBackends([this.flush.pid]);
  }

  /** Nothing of a lost flush can be under way any more. */
  forgetLostFlushes(): void {
    this.lostFlushes.clear();
  }

  private async endBackends(pids: readonly number[]): Promise<void> {
    // The name guards against a pid that belongs to somebody else by now.
    await this.probe.query(
      {
        text: 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = ANY($1::int[]) AND application_name = $2',
      },
      [pids, applicationNameOf(this.flush.name)],
    );
  }
}

function applicationNameOf(name: string): string {
  return `penstock ledger ${name}`;
}
