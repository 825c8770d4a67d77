import type { Ending } from './acknowledgments.port.js';
import type { DeadLetter, DeadLetterWriter } from './dead-letter-writer.port.js';
import type { DestinationCodes } from './destination-codes.js';
import type { KafkaMark, KafkaMarks } from './kafka-marks.js';
import { acceptedAtMsOf } from './endings.js';
import { originalOf } from './kafka-position.js';
import type { LedgerSession, Statement } from './ledger-session.js';
import type { PartitionBooks } from './partition-books.js';
import {
  exceptionParameters,
  exceptionsOf,
  outputParameters,
  type PositionEnding,
} from './position-parameters.js';
import { watermarkParameters } from './position-row.js';
import { quotedTable } from './sink-table.js';
import { endPositions } from './statements/kafka.statements.js';

type EndedRow = [source: number | null, partition: number | null, dead: number | null];

/** Ends of Kafka records that one transaction enters. */
export interface PositionBatch {
  /** Each is one statement; letters are one more. */
  readonly steps: readonly (() => Promise<void>)[];
  readonly hasLetters: boolean;
  /** The transaction was committed. Returns how many letters it has written. */
  committed(): number;
}

/** Ends that go into one statement: without a table, or with rows of that table; or parts, which end nothing. */
interface Group {
  readonly table: string;
  readonly isPart: boolean;
  readonly endings: PositionEnding[];
}

const NO_TABLE = '';
const UTF8 = 'utf8';

/**
 * Enters the ends of Kafka records: the watermark's bits, and in the same statement whatever they need beside it.
 *
 * PE1 a bit is set by the statement that writes the record's rows, so a redelivered record has all of its end or nothing.
 *     But for output rows of a record with several destinations: they come before the end, and have the record's id as
 *     their key.
 * PE2 an end whose partition isn't ours, or whose record has ended, writes nothing: somebody else answers for it.
 * PE3 what is known of a partition changes only when its transaction was committed.
 */
export class PositionEndings {
  private readonly statements = new Map<string, Statement>();

  constructor(
    private readonly session: LedgerSession,
    private readonly marks: KafkaMarks,
    private readonly destinations: DestinationCodes,
    private readonly deadLetters: DeadLetterWriter,
    private readonly instanceId: string,
  ) {}

  /** Plans the transaction. Nothing is sent before the steps are run, in their order. */
  batch(endings: readonly Ending[]): PositionBatch {
    const groups = this.groupsOf(endings);
    const next = new Map<KafkaMark, PartitionBooks>();
    const lost = new Set<KafkaMark>();
    let letters = 0;
    const steps = groups.map((group) => {
      const entries = booksAfter(group, next);
      return async (): Promise<void> => {
        const { dead, kept } = await this.enter(group, entries);
        for (const { mark } of entries) if (!kept.has(mark)) lost.add(mark);
        if (dead.length > 0) await this.deadLetters.insert(this.session, dead);
        letters += dead.length;
      };
    });
    return {
      steps,
      hasLetters: endings.some(({ terminal }) => terminal.status === 'dead-lettered'),
      committed: () => {
        for (const [mark, books] of next) mark.books = books;
        for (const mark of lost) this.marks.drop(mark);
        return letters;
      },
    };
  }

  private groupsOf(endings: readonly Ending[]): readonly Group[] {
    const groups = new Map<string, Group>();
    for (const ending of endings) {
      const { record } = ending;
      const place = this.marks.locate(record.id);
      if (place === undefined || place.mark.books.has(place.offset)) continue;
      const { mark, offset } = place;
      const isDelivered = ending.terminal.status === 'acknowledged';
      const table = (isDelivered ? ending.output?.table : undefined) ?? NO_TABLE;
      const isPart = ending.step === 'part';
      if (isPart && table === NO_TABLE) continue;
      const name = isPart ? `part ${table}` : table;
      const group = groups.get(name) ?? { table, isPart, endings: [] };
      groups.set(name, group);
      group.endings.push({ mark, offset, ending, record });
    }
    return [...groups.values()];
  }

  private async enter(
    { table, isPart, endings }: Group,
    entries: readonly Entry[],
  ): Promise<{ dead: DeadLetter[]; kept: ReadonlySet<KafkaMark> }> {
    const exceptions = isPart ? [] : endings.flatMap(exceptionsOf);
    const { rows } = await this.session.query<EndedRow>(this.statement(table), [
      ...watermarkParameters(entries),
      ...exceptionParameters(exceptions, this.destinations),
      this.instanceId,
      ...(table === NO_TABLE ? [] : outputParameters(endings)),
    ]);
    const kept = new Set<KafkaMark>();
    const dead: DeadLetter[] = [];
    for (const [source, partition, ordinal] of rows) {
      if (ordinal !== null) dead.push(letterOf(exceptions[ordinal - 1]!));
      const mark = entries.find((e) => e.mark.source === source && e.mark.partition === partition);
      if (mark !== undefined) kept.add(mark.mark);
    }
    return { dead, kept };
  }

  private statement(table: string): Statement {
    let statement = this.statements.get(table);
    if (statement === undefined) {
      const name = `ledger-kafka-end-${this.statements.size}`;
      statement = table === NO_TABLE ? endPositions(name) : endPositions(name, quotedTable(table));
      this.statements.set(table, statement);
    }
    return statement;
  }
}

interface Entry {
  readonly mark: KafkaMark;
  readonly books: PartitionBooks;
}

/**
 * The watermarks as they are after this group; `next` carries them from one group of the transaction to the next. Parts
 * leave them as they are: written again, they are the fence.
 */
function booksAfter(
  { endings, isPart }: Group,
  next: Map<KafkaMark, PartitionBooks>,
): readonly Entry[] {
  const offsets = new Map<KafkaMark, bigint[]>();
  for (const { mark, offset } of endings) {
    const known = offsets.get(mark) ?? [];
    offsets.set(mark, known);
    if (!isPart) known.push(offset);
  }
  return [...offsets].map(([mark, ended]) => {
    const books = (next.get(mark) ?? mark.books).with(ended);
    next.set(mark, books);
    return { mark, books };
  });
}

function letterOf({ ending, record, mark, offset }: PositionEnding): DeadLetter {
  const original = originalOf(record);
  const key = original?.key ?? null;
  return {
    ending,
    acceptedAt: new Date(acceptedAtMsOf(ending)),
    body: original === undefined ? (record.body ?? null) : original.value,
    headers: record.headers === undefined ? null : Buffer.from(JSON.stringify(record.headers)),
    position: {
      source: mark.source,
      partition: mark.partition,
      offset,
      keyBytes: key === null || isPlainText(key) ? null : key,
    },
  };
}

/** Whether a column of text keeps these bytes as they are. */
function isPlainText(bytes: Buffer): boolean {
  return !bytes.includes(0) && Buffer.from(bytes.toString(UTF8), UTF8).equals(bytes);
}
