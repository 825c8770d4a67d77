import { Logger } from '@nestjs/common';
import type { BackPressureController } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import type { Journal } from '../ledger/journal.port.js';
import type { Backlog } from '../pipeline/hand-over.js';
import type { InFlight } from '../pipeline/in-flight.js';
import type { Origin, PipelineRecord } from '../pipeline/record.js';

/** Records a step looks at. */
const STEP = 1000;

/** Nobody waits for a record that an earlier run accepted. */
const RECOVERED: Origin = { settled: () => undefined };

/**
 * The journal's backlog as the hand-over sees it.
 *
 * JB1 a request for pipeline credits is always under way while entries are left. It is first in line, so what the
 *     recovered records give back goes to the next ones, and newer records that wait behind them can't hold them up.
 * JB2 a record is loaded only when its credits are there.
 */
export class JournalBacklog implements Backlog {
  private readonly logger = new Logger('Recovery');
  private readonly stopping = new AbortController();
  private nextCredits: Promise<Lot> | undefined;

  constructor(
    private readonly journal: Journal,
    private readonly controller: BackPressureController,
    private readonly inFlight: InFlight,
  ) {}

  /** To be called when entries have come: takes its place in the line for pipeline credits. */
  prepare(): void {
    const sizes = this.sizes();
    if (sizes.length === 0 || this.nextCredits !== undefined) return;
    const { signal } = this.stopping;
    this.nextCredits = this.controller.acquirePipelineCredits(sizes.length, { sizes, signal });
    // `next` hears of a rejection; between now and then nobody listens.
    this.nextCredits.then(undefined, () => undefined);
  }

  sizes(): readonly number[] {
    if (this.stopping.signal.aborted) return [];
    return this.journal
      .backlog()
      .slice(0, STEP)
      .map(({ sizeBytes }) => sizeBytes);
  }

  async next(count: number): Promise<readonly PipelineRecord[]> {
    this.prepare();
    const waiting = this.nextCredits;
    if (waiting === undefined) return [];
    try {
      const credit = await waiting;
      this.nextCredits = undefined;
      return await this.load(Math.min(count, credit.count), credit);
    } catch (error) {
      // Only a stop ends the waiting; what is left stays in the journal for the next start.
      if (!this.stopping.signal.aborted) this.logger.error(`Recovery ended: ${String(error)}`);
      this.stop();
      return [];
    }
  }

  /** Idempotent. */
  stop(): void {
    this.stopping.abort();
    void this.nextCredits?.then(
      (credit) => credit.release(),
      () => undefined,
    );
    this.nextCredits = undefined;
  }

  private async load(count: number, credit: Lot): Promise<readonly PipelineRecord[]> {
    const ids = this.journal
      .backlog()
      .slice(0, count)
      .map(({ id }) => id);
    const records = ids.length === 0 ? [] : await this.journal.load(ids, credit, RECOVERED);
    const bytes = records.reduce((sum, record) => sum + record.sizeBytes, 0);
    // Before the records can give credits back: the next ones must be in line for them.
    this.prepare();
    // Credits of records that have ended meanwhile, and those of a grant larger than this step.
    const unused = credit.count - records.length;
    if (unused > 0) credit.release(unused, Math.max(0, credit.bytes - bytes));
    this.inFlight.resume(records);
    this.logger.debug(
      `Carries on ${records.length} records of an earlier run; ${this.journal.backlog().length} are left.`,
    );
    return records;
  }
}
