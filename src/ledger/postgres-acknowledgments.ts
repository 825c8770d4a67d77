import { Logger } from '@nestjs/common';
import {
  type Backoff,
  type Clock,
  fullJitterBackoff,
  type RandomSource,
  sleep,
} from '#libs/flow-control';
import { takeTurn } from './acknowledge-turn.js';
import { Acknowledgments, type Ending, type RefusedEnding } from './acknowledgments.port.js';
import { int8Array } from './binary-array.js';
import type { DeadLetterWriter } from './dead-letter-writer.port.js';
import { endingKey, withoutRepeated } from './endings.js';
import { EndingTransaction } from './ending-transaction.js';
import { LedgerStoppedError } from './errors/ledger-stopped.error.js';
import { FlushQueue, type FlushCall } from './flush-queue.js';
import type { Ledger } from './ledger.js';
import { asError, failureOf, sqlStateOf } from './sql-state.js';

const MAX_BATCH_RECORDS = 1_000;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const RETRY_BASE_MS = 100;
const RETRY_MAX_MS = 2_000;
const NO_TOKENS = int8Array([]);

/**
 * The ends of records in PostgreSQL: group commit on one connection, one transaction in flight.
 *
 * K1 an ending is repeated until the books have answered it under tokens that are still valid; entering it twice is the
 *    same as once, as the delete of the journal row decides.
 * K2 an id that did not come back had ended before, or belongs to somebody else: it is forgotten here, and if its row is
 *    still in the journal, the next load finds it. So it is with every REST record while another replica has the
 *    partitions.
 * K3 a value that the database refuses costs its own ending only: the batch is halved until it is alone.
 * K4 Kafka records have no journal row: the watermark of their partition decides in its place (PositionEndings).
 */
export class PostgresAcknowledgments extends Acknowledgments {
  private readonly queue: FlushQueue<Ending, 'finish', readonly RefusedEnding[]>;
  private readonly transaction: EndingTransaction;
  private readonly backoff: Backoff;
  private readonly logger = new Logger('Acknowledgments');
  private readonly stopping = new AbortController();

  constructor(
    private readonly ledger: Ledger,
    deadLetters: DeadLetterWriter,
    private readonly clock: Clock,
    random: RandomSource,
  ) {
    super();
    const { sessions, instanceId } = ledger;
    this.transaction = new EndingTransaction(
      sessions.acknowledge,
      deadLetters,
      instanceId,
      ledger.kafkaMarks,
    );
    this.backoff = fullJitterBackoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random });
    this.queue = new FlushQueue({
      maxRecords: MAX_BATCH_RECORDS,
      maxBytes: MAX_BATCH_BYTES,
      bytesOf: (ending) => ending.output?.payload.length ?? 0,
      flush: (calls) => this.write(calls),
    });
    ledger.listen({
      // A transaction may have been committed without our knowing. On a connection that never waits behind an end.
      opening: () => deadLetters.recount(sessions.lease),
      writable: () => this.queue.go(),
      closed: ({ reason }) => {
        this.queue.hold();
        if (reason !== 'stopping') return;
        this.stopping.abort();
        this.queue.rejectWaiting(new LedgerStoppedError());
      },
    });
  }

  finish(endings: readonly Ending[]): Promise<readonly RefusedEnding[]> {
    if (endings.length === 0) return Promise.resolve([]);
    if (this.stopping.signal.aborted) return Promise.reject(new LedgerStoppedError());
    return this.queue.push('finish', endings);
  }

  private async write(
    calls: readonly FlushCall<Ending, 'finish'>[],
  ): Promise<readonly (readonly RefusedEnding[])[]> {
    const endings = withoutRepeated(calls.flatMap((call) => call.items));
    const refused = await this.enter(endings);
    if (refused.length === 0) return calls.map(() => refused);
    const byKey = new Map(refused.map((one) => [endingKey(one.ending), one]));
    return calls.map((call) => call.items.flatMap((item) => byKey.get(endingKey(item)) ?? []));
  }

  private async enter(endings: readonly Ending[]): Promise<readonly RefusedEnding[]> {
    let open = endings;
    for (let failures = 0; open.length > 0;) {
      await this.ledger.whenWritable();
      const { generation } = this.ledger;
      try {
        const ended = await takeTurn(this.ledger, () => this.send(open));
        // K1: tokens that changed meanwhile ended nothing; K2 otherwise.
        if (this.ledger.generation === generation) open = this.forget(open);
        else open = this.forget(ended, open);
      } catch (error) {
        const failure = failureOf(error);
        if (failure === 'refused') return this.narrow(open, asError(error));
        failures += 1;
        await this.recover(failure === 'away', asError(error), failures);
      }
    }
    return [];
  }

  private async send(endings: readonly Ending[]): Promise<readonly Ending[]> {
    const tokens = this.ledger.ownTokens()?.array ?? NO_TOKENS;
    if (!this.ledger.isWritable) return [];
    const watch = this.ledger.watchdog.watch();
    try {
      return await this.transaction.enter(endings, tokens);
    } finally {
      watch.done();
    }
  }

  /** Takes what has ended out of the journal's level; returns the rest of `all`. */
  private forget(ended: readonly Ending[], all: readonly Ending[] = ended): readonly Ending[] {
    for (const { record, step } of ended) {
      if (step !== 'part') this.ledger.level.remove(record.id);
    }
    if (ended.length === all.length) return [];
    const gone = new Set(ended);
    return all.filter((ending) => !gone.has(ending));
  }

  /** K3 */
  private async narrow(
    endings: readonly Ending[],
    error: Error,
  ): Promise<readonly RefusedEnding[]> {
    const [only] = endings;
    if (only !== undefined && endings.length === 1) {
      return [{ ending: only, error, sqlState: sqlStateOf(error) ?? '' }];
    }
    const half = endings.length >>> 1;
    const first = await this.enter(endings.slice(0, half));
    return [...first, ...(await this.enter(endings.slice(half)))];
  }

  private async recover(isAway: boolean, error: Error, failures: number): Promise<void> {
    if (isAway) {
      this.ledger.doubt({ reason: 'database-away', detail: error.message });
      return;
    }
    this.logger.warn(`Ends could not be entered and are repeated: ${error.message}`);
    try {
      await sleep(this.clock, this.backoff.delayMs(failures), this.stopping.signal);
    } catch {
      // Only a stop ends the pause early.
      throw new LedgerStoppedError();
    }
  }
}
