import { Client, type ClientConfig, type QueryArrayConfig, type QueryArrayResult } from 'pg';

/**
 * Generic plans without sequential scans: a plan made while the journal was empty would keep its scan for minutes.
 * The rest ends the transaction of a replica that vanished, and is the last net below the watchdog.
 */
const SERVER_OPTIONS = [
  'enable_seqscan=off',
  'plan_cache_mode=force_generic_plan',
  'jit=off',
  'tcp_keepalives_idle=5',
  'tcp_keepalives_interval=2',
  'tcp_keepalives_count=3',
  'tcp_user_timeout=10000',
  'client_connection_check_interval=2000',
  'statement_timeout=10000',
  'idle_in_transaction_session_timeout=10000',
];

/** What the server tells every client, and the types of `pg` leave out. */
interface BackendKey {
  readonly processID: number;
}

/** Thrown by `query` when there is no connection: the statement was never sent. */
export class SessionClosedError extends Error {
  override readonly name = 'SessionClosedError';
}

/** A statement: `name` makes it a prepared one, of that text for ever. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

/**
 * One connection of the ledger, without a pool and without TypeORM: hot statements are named and take Buffers.
 *
 * S1 a lost connection is told once, whoever notices first; every query under way rejects.
 * S2 `destroy` never waits for the server.
 */
export class LedgerSession {
  private client: Client | undefined;
  private closing: Client | undefined;
  /** Backend of the last connection; 0 before the first. */
  private backend = 0;

  constructor(
    readonly name: string,
    private readonly config: ClientConfig,
    private readonly lockTimeoutMs: number,
    private readonly onLost: (session: LedgerSession, error: Error) => void,
  ) {}

  get isOpen(): boolean {
    return this.client !== undefined;
  }

  get pid(): number {
    return this.backend;
  }

  /** Connects; idempotent. Rejects within the time-out of its configuration when the server doesn't answer. */
  async open(): Promise<void> {
    if (this.client !== undefined) return;
    const serverOptions = [...SERVER_OPTIONS, `lock_timeout=${this.lockTimeoutMs}`];
    const client = new Client({
      ...this.config,
      options: serverOptions.map((option) => `-c ${option}`).join(' '),
    });
    client.on('error', (error) => this.lose(client, error));
    client.once('end', () => this.lose(client, new Error('The connection was closed.')));
    await client.connect();
    this.backend = (client as Client & BackendKey).processID;
    this.client = client;
  }

  /** Runs a statement; rows come as arrays. Rejects with SessionClosedError when it was not sent. */
  query<Row extends unknown[]>(
    statement: Statement,
    values: readonly unknown[] = [],
  ): Promise<QueryArrayResult<Row>> {
    if (this.client === undefined) {
      return Promise.reject(new SessionClosedError(`The ${this.name} connection is closed.`));
    }
    const config: QueryArrayConfig = { ...statement, values: [...values], rowMode: 'array' };
    return this.client.query<Row>(config);
  }

  /** Cuts the connection; queries under way reject. */
  destroy(): void {
    const { client } = this;
    (client ?? this.closing)?.connection.stream.destroy();
    if (client !== undefined) this.lose(client, new Error('The connection was cut.'));
  }

  /** Closes the connection in order; `destroy` cuts this short when the server doesn't answer. */
  async close(): Promise<void> {
    this.closing = this.client;
    this.client = undefined;
    await this.closing?.end();
  }

  private lose(client: Client, error: Error): void {
    if (this.client !== client) return;
    this.client = undefined;
    this.onLost(this, error);
  }
}
