import type { Lot } from '#libs/flow-control';
import { NEVER_MS } from '../pipeline/expiry.js';
import { type Origin, PRIORITIES, type PipelineRecord } from '../pipeline/record.js';
import { uuidArray } from './binary-array.js';
import type { Ledger } from './ledger.js';
import { asError, failureOf } from './sql-state.js';
import { LOAD_RECORDS } from './statements/journal.statements.js';

type LoadedRow = [
  id: string,
  acceptedAtMs: string,
  partition: number,
  priority: number,
  tenant: string,
  key: string | null,
  headers: Buffer | null,
  payload: Buffer,
  acknowledgedBy: string[] | null,
  expiresAtMs: string | null,
];

interface LoadedInto {
  readonly credit: Lot;
  readonly origin: Origin;
  readonly destinations: readonly string[];
}

/** Reads records of the backlog back into memory, when credits for them are there (O8). */
export class RecordLoader {
  constructor(private readonly ledger: Ledger) {}

  /** In the order of `ids`; those that have ended are left out. Waits through an outage. */
  async load(ids: readonly string[], credit: Lot, origin: Origin): Promise<PipelineRecord[]> {
    const rows = new Map((await this.read(ids)).map((row) => [row[0], row]));
    const records: PipelineRecord[] = [];
    const { destinations } = this.ledger;
    for (const id of ids) {
      const row = rows.get(id);
      if (row === undefined) this.ledger.level.remove(id);
      else records.push(recordOf(row, { credit, origin, destinations }));
    }
    this.ledger.backlog.remove(ids);
    return records;
  }

  private async read(ids: readonly string[]): Promise<LoadedRow[]> {
    for (;;) {
      await this.ledger.whenOpen();
      const watch = this.ledger.watchdog.watch();
      try {
        const { rows } = await this.ledger.sessions.lease.query<LoadedRow>(LOAD_RECORDS, [
          uuidArray(ids),
        ]);
        return rows;
      } catch (error) {
        if (failureOf(error) !== 'away') throw error;
        // The loss closes the ledger; `whenOpen` waits for its return.
        this.ledger.doubt({ reason: 'database-away', detail: asError(error).message });
      } finally {
        watch.done();
      }
    }
  }
}

function recordOf(row: LoadedRow, { credit, origin, destinations }: LoadedInto): PipelineRecord {
  const [
    id,
    acceptedAt,
    partition,
    priority,
    tenant,
    key,
    headers,
    body,
    acknowledgedBy,
    expiresAt,
  ] = row;
  const acceptedAtMs = Number(acceptedAt);
  return {
    id,
    source: 'rest',
    tenant,
    priority: PRIORITIES[priority] ?? 'normal',
    headers: headers === null ? undefined : JSON.parse(headers.toString()),
    // The books have it, and it was kept.
    idempotencyKey: undefined,
    expiresAtMs: expiresAt === null ? NEVER_MS : Number(expiresAt),
    receivedAtMs: acceptedAtMs,
    sizeBytes: body.length + (headers?.length ?? 0),
    origin,
    credit,
    key: key ?? undefined,
    partition,
    payload: JSON.parse(body.toString()) as unknown,
    body,
    stage: 'IngressProcessing',
    acceptedAtMs,
    attempts: 0,
    failures: undefined,
    verdict: { kind: 'accepted' },
    keyBytes: undefined,
    unsafeNumber: undefined,
    deliverTo: without(destinations, acknowledgedBy),
    terminal: undefined,
  };
}

function without(
  destinations: readonly string[],
  acknowledgedBy: readonly string[] | null,
): ReadonlySet<string> | undefined {
  if (acknowledgedBy === null) return undefined;
  return new Set(destinations.filter((name) => !acknowledgedBy.includes(name)));
}
