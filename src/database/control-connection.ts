/**
 * One PostgreSQL session outside every pool: for leases, the folder's lock and the question "is the database there?".
 * A busy pool can't starve it.
 *
 * C1  It is connected, or it tries: back-off 100 ms doubling to 2 s, without an end.
 * C2  `back` is emitted after `onConnect` has passed, `lost` once for each `back`.
 * C3  A server that doesn't answer within 400 ms is away, also when its socket is open: the socket is destroyed, so what
 *     waits for an answer rejects.
 * C4  An error of `onConnect` that isn't retryable ends it for good: `fatal`, once.
 *
 * Statements on it must be short and must not wait for locks: they run one after the other.
 *
 * idle → connecting ⇄ connected → closed
 */
import { EventEmitter } from 'node:events';
import {
  Client,
  type ClientConfig,
  DatabaseError as ServerError,
  type QueryResult,
  type QueryResultRow,
} from 'pg';
import { type Clock, sleep, type Timer } from '#libs/flow-control';
import { DatabaseAwayError } from './errors/database-away.error.js';
import { DatabaseError } from './errors/database-error.js';

const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
const PROBE_INTERVAL_MS = 2_000;

/** LEDGER-NOTES' watchdog: a live server answers `SELECT 1` in well under a millisecond. */
const PROBE_DEADLINE_MS = 400;
const END_DEADLINE_MS = 1_000;

/** For connecting and `onConnect` together; a server that freezes in between must not hold us for ever. */
const CONNECT_DEADLINE_MS = 15_000;

export interface ControlConnectionSettings {
  readonly config: ClientConfig;
  readonly clock: Clock;
  /** Runs on every new session before it counts as connected. */
  readonly onConnect: (client: Client) => Promise<void>;
}

interface Events {
  back: [];
  lost: [Error];
  /** An attempt failed; the next comes after `retryMs`. */
  retry: [{ error: Error; retryMs: number }];
  fatal: [Error];
}

export class ControlConnection extends EventEmitter<Events> {
  private readonly closing = new AbortController();
  private client: Client | undefined;
  private probeTimer: Timer | undefined;
  private inFlight = 0;
  private loop: Promise<void> | undefined;
  private lastError: Error | undefined;

  constructor(private readonly settings: ControlConnectionSettings) {
    super();
  }

  get isConnected(): boolean {
    return this.client !== undefined;
  }

  /** Begins to connect; does not wait. Idempotent. */
  start(): void {
    this.loop ??= this.run();
  }

  /** Runs a statement. Rejects with DatabaseAwayError when there is no connection or it is lost before the answer. */
  async query<Row extends QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<QueryResult<Row>> {
    const { client } = this;
    if (client === undefined) throw this.awayError(this.lastError);
    this.inFlight += 1;
    try {
      return await client.query<Row>(text, [...values]);
    } catch (error) {
      throw error instanceof ServerError ? error : this.awayError(error);
    } finally {
      this.inFlight -= 1;
    }
  }

  /**
   * Asks the server whether it is alive, within 400 ms; false also drops the connection. Behind a statement in flight it
   * asks over a connection of its own, so a slow statement is not taken for a dead server.
   */
  async probe(): Promise<boolean> {
    const { client } = this;
    if (client === undefined) return false;
    const answer = this.inFlight === 0 ? client.query('SELECT 1') : this.connectOnce();
    const isAlive = await this.answersInTime(answer);
    if (!isAlive) destroy(client);
    return isAlive && this.client === client;
  }

  /** Ends the session, and with it its locks. Statements after it reject. Idempotent. */
  async close(): Promise<void> {
    this.closing.abort(new DatabaseAwayError('The control connection is closed.'));
    this.probeTimer?.cancel();
    const { client } = this;
    if (client !== undefined) {
      const ended = client.end().catch(() => undefined);
      await this.within(END_DEADLINE_MS, ended);
      destroy(client);
    }
    await this.loop;
  }

  private async run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!this.closing.signal.aborted) {
      try {
        const { client, lost } = await this.connect();
        retryMs = FIRST_RETRY_MS;
        await this.stay(client, lost);
      } catch (thrown) {
        const error = thrown as Error;
        this.lastError = error;
        if (error instanceof DatabaseError && !error.retryable) {
          this.emit('fatal', error);
          return;
        }
        if (this.closing.signal.aborted) return;
        this.emit('retry', { error, retryMs });
        await sleep(this.settings.clock, retryMs, this.closing.signal).catch(() => undefined);
        retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      }
    }
  }

  private async connect(): Promise<{ client: Client; lost: Promise<Error> }> {
    const client = new Client(this.settings.config);
    const lost = new Promise<Error>((resolve) => {
      // Without a listener for 'error' the loss of an idle connection would end the process.
      client.on('error', resolve);
      client.once('end', () => resolve(new Error('The connection was closed.')));
    });
    const deadline = this.settings.clock.setTimer(CONNECT_DEADLINE_MS, () => destroy(client));
    try {
      await client.connect();
      await this.settings.onConnect(client);
      this.closing.signal.throwIfAborted();
      return { client, lost };
    } catch (error) {
      destroy(client);
      throw error;
    } finally {
      deadline.cancel();
    }
  }

  /** Resolves when the connection is lost. */
  private async stay(client: Client, lost: Promise<Error>): Promise<void> {
    this.client = client;
    this.lastError = undefined;
    this.probeLater();
    this.emit('back');
    const error = await lost;
    this.client = undefined;
    this.lastError = error;
    this.probeTimer?.cancel();
    if (!this.closing.signal.aborted) this.emit('lost', error);
  }

  private probeLater(): void {
    this.probeTimer = this.settings.clock.setTimer(PROBE_INTERVAL_MS, () => void this.probeAgain());
  }

  private async probeAgain(): Promise<void> {
    if (await this.probe()) this.probeLater();
  }

  /** Any answer of the server counts, also a refusal (too many connections, starting up): it is alive. */
  private async connectOnce(): Promise<void> {
    const client = new Client({
      ...this.settings.config,
      connectionTimeoutMillis: PROBE_DEADLINE_MS,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
    } finally {
      destroy(client);
    }
  }

  private async answersInTime(answer: Promise<unknown>): Promise<boolean> {
    const alive = answer.then(
      () => true,
      (error: unknown) => error instanceof ServerError,
    );
    return (await this.within(PROBE_DEADLINE_MS, alive)) ?? false;
  }

  /** Undefined when `promise` takes longer. */
  private async within<T>(deadlineMs: number, promise: Promise<T>): Promise<T | undefined> {
    let timer: Timer | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = this.settings.clock.setTimer(deadlineMs, () => resolve(undefined));
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      timer?.cancel();
    }
  }

  private awayError(cause: unknown): DatabaseAwayError {
    const reason = cause instanceof Error ? `: ${cause.message}` : '';
    return new DatabaseAwayError(`The database is away${reason}`, { cause });
  }
}

/** Closes the socket at once; `end` would wait for a server that may never answer. */
function destroy(client: Client): void {
  client.connection.stream.destroy();
}
