import { Logger } from '@nestjs/common';
import type { Acknowledgments, Ending, RefusedEnding } from '../../ledger/acknowledgments.port.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import { ACKNOWLEDGED, type DeliveryOutcome, type Sink } from './sink.js';

export interface PostgresSinkOptions {
  readonly name: string;
  /** It is one of several: its rows are a part of the end (`Ending.step`). */
  readonly isShared: boolean;
  readonly table: string;
  /** Makes the table unless it exists. */
  readonly ensureTable: (table: string) => Promise<void>;
}

/** What one statement of the ledger takes. */
const MAX_BATCH_RECORDS = 1000;

const PART = { step: 'part' } as const;

/**
 * Delivers into a table of the ledger's database: output row and acknowledgment commit together, so a record is there
 * exactly once, in effect. Alone, that commit is the record's end; among several sinks it leaves the record in the journal.
 */
export class PostgresSink implements Sink {
  readonly name: string;
  readonly isOrdered = true;
  readonly repeats = false;
  readonly endsRecords = true;
  readonly maxBatchRecords = MAX_BATCH_RECORDS;
  private readonly logger = new Logger(PostgresSink.name);

  constructor(
    private readonly acknowledgments: Acknowledgments,
    private readonly options: PostgresSinkOptions,
  ) {
    this.name = options.name;
  }

  async start(): Promise<void> {
    const { table, ensureTable } = this.options;
    await ensureTable(table);
    this.logger.log(`Delivers to table ${table}.`);
  }

  /** The connection is the ledger's. */
  stop(): Promise<void> {
    return Promise.resolve();
  }

  async deliver(records: readonly PipelineRecord[]): Promise<readonly DeliveryOutcome[]> {
    const endings = records.map((record) => this.endingOf(record));
    let refused: readonly RefusedEnding[];
    try {
      refused = await this.acknowledgments.finish(endings);
    } catch (error) {
      // The ledger stops: nothing was entered that it did not tell; the journal keeps the records.
      const message = error instanceof Error ? error.message : String(error);
      return records.map(() => ({ kind: 'failed', failure: { kind: 'outage', message } }));
    }
    if (refused.length === 0) return records.map(() => ACKNOWLEDGED);
    const refusals = new Map(refused.map((each) => [each.ending, each]));
    return endings.map((ending) => {
      const refusal = refusals.get(ending);
      return refusal === undefined ? ACKNOWLEDGED : refusedOutcome(refusal);
    });
  }

  private endingOf(record: PipelineRecord): Ending {
    return {
      record,
      terminal: { status: 'acknowledged' },
      attempts: record.attempts + 1,
      destination: this.name,
      ...(this.options.isShared ? PART : {}),
      output: {
        table: this.options.table,
        key: record.key ?? null,
        payload: record.body ?? Buffer.from(JSON.stringify(record.payload)),
        headers: record.headers === undefined ? null : JSON.stringify(record.headers),
      },
    };
  }
}

function refusedOutcome({ error, sqlState }: RefusedEnding): DeliveryOutcome {
  const message = `PostgreSQL refuses the row (SQLSTATE ${sqlState}): ${error.message}`;
  return { kind: 'failed', failure: { kind: 'final', message } };
}
