import {
  type BookedPartition,
  type BookedSource,
  type BookEntry,
  KafkaBooks,
  type PartitionStart,
} from '#libs/kafka';
import { takeTurn } from './acknowledge-turn.js';
import { int4Array, int8Array } from './binary-array.js';
import { DestinationCodes } from './destination-codes.js';
import { settleDoubt } from './kafka-fence.js';
import type { Ledger } from './ledger.js';
import type { LedgerSession } from './ledger-session.js';
import { exceptionParameters } from './position-parameters.js';
import { bookedOf, type KeptPartition, watermarkParameters } from './position-row.js';
import { asError, failureOf } from './sql-state.js';
import * as sql from './statements/kafka.statements.js';

type SourceRow = [source: number, incarnation: number, isKnown: boolean];
type AssignedRow = [...Parameters<typeof bookedOf>[0], topic: string, incarnation: number];
type KeptRow = [source: number, partition: number];
interface KeptEntry {
  readonly source: number;
  readonly partition: number;
}

const FOLLOW = sql.endPositions('ledger-kafka-follow');

/**
 * The books of Kafka partitions in PostgreSQL. Ends are entered by Acknowledgments; here is what the source says of its
 * watermarks: gaps, the time at the boundary, and how far `low` has come, which appends the runs.
 *
 * KB1 every statement has a turn of its own on the acknowledge connection, so it is ordered with the ends.
 * KB2 `write` takes over what the ends have entered meanwhile: it never takes a bit back, nor lets `low` fall.
 * KB3 waits through an outage and repeats. What was in doubt is settled before the next statement (`settleDoubt`).
 *     Rejects with what PostgreSQL says otherwise; nothing was written then.
 */
export class PostgresKafkaBooks extends KafkaBooks {
  constructor(private readonly ledger: Ledger) {
    super();
  }

  source(topic: string): Promise<BookedSource> {
    return this.turn(async (session) => {
      const known = await newestSource(session, topic);
      if (known !== undefined) return known;
      await session.query(sql.ADD_SOURCE, [topic, 0]);
      return (await newestSource(session, topic))!;
    });
  }

  nextIncarnation(topic: string, after: number): Promise<BookedSource> {
    return this.turn(async (session) => {
      await session.query(sql.ADD_SOURCE, [topic, after]);
      return (await newestSource(session, topic))!;
    });
  }

  assign(source: number, starts: readonly PartitionStart[]): Promise<readonly BookedPartition[]> {
    return this.turn(async (session) => {
      const { rows } = await session.query<AssignedRow>(sql.ASSIGN, [
        source,
        int4Array(starts.map(({ partition }) => partition)),
        int8Array(starts.map(({ startOffset }) => startOffset)),
      ]);
      return rows.map((row) => {
        const booked = bookedOf(row);
        const [topic, incarnation] = row.slice(-2) as [string, number];
        this.ledger.kafkaMarks.take({ ...booked, source, topic, incarnation });
        return booked;
      });
    });
  }

  /** `records` of an entry is not used: the row says what it was before. */
  write(entries: readonly BookEntry[]): Promise<readonly KeptEntry[]> {
    return this.enter(entries, (session, known) =>
      session.query<KeptRow>(sql.WRITE_WATERMARKS, watermarkParameters(known)),
    );
  }

  /** As ends without rows of their own: the statement of ends counts what is new. */
  follow(entries: readonly BookEntry[]): Promise<readonly KeptEntry[]> {
    return this.enter(entries, (session, known) =>
      session.query<KeptRow>(FOLLOW, [
        ...watermarkParameters(known),
        ...exceptionParameters([], new DestinationCodes(session)),
        this.ledger.instanceId,
      ]),
    );
  }

  private enter(
    entries: readonly BookEntry[],
    query: (
      session: LedgerSession,
      known: readonly KeptPartition[],
    ) => Promise<{ readonly rows: readonly KeptRow[] }>,
  ): Promise<readonly KeptEntry[]> {
    return this.turn(async (session) => {
      const known = entries.flatMap((entry) => this.merged(entry));
      if (known.length === 0) return [];
      const { rows } = await query(session, known);
      const kept = new Set(rows.map(([source, partition]) => this.mark(source, partition)));
      for (const { mark, books } of known) {
        if (kept.has(mark)) mark.books = books;
        else this.ledger.kafkaMarks.drop(mark);
      }
      return rows.map(([source, partition]) => ({ source, partition }));
    });
  }

  /** An entry of an earlier assignment is left out, as the row would refuse it. */
  private merged(entry: BookEntry): KeptPartition[] {
    const mark = this.mark(entry.source, entry.partition);
    if (mark?.toldEpoch !== entry.epoch) return [];
    return [{ mark, books: mark.books.merged(entry) }];
  }

  private mark(source: number, partition: number) {
    return this.ledger.kafkaMarks.get(source, partition);
  }

  private async turn<T>(work: (session: LedgerSession) => Promise<T>): Promise<T> {
    const { ledger } = this;
    for (;;) {
      await ledger.whenWritable();
      try {
        const answer = await takeTurn(ledger, () => this.watched(work));
        if (answer !== CLOSED) return answer;
      } catch (error) {
        if (failureOf(error) !== 'away') throw error;
        ledger.doubt({ reason: 'database-away', detail: asError(error).message });
      }
    }
  }

  /** It may have closed while this waited for its turn; then nobody may be kept waiting behind it. */
  private async watched<T>(
    work: (session: LedgerSession) => Promise<T>,
  ): Promise<T | typeof CLOSED> {
    if (!this.ledger.isWritable) return CLOSED;
    const { acknowledge } = this.ledger.sessions;
    const watch = this.ledger.watchdog.watch();
    try {
      await settleDoubt(acknowledge, this.ledger.kafkaMarks);
      return await work(acknowledge);
    } finally {
      watch.done();
    }
  }
}

const CLOSED = Symbol('closed');

async function newestSource(
  session: LedgerSession,
  topic: string,
): Promise<BookedSource | undefined> {
  const { rows } = await session.query<SourceRow>(sql.NEWEST_SOURCE, [topic]);
  const [row] = rows;
  return row && { source: row[0], incarnation: row[1], isKnown: row[2] };
}
