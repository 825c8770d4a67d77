import { Logger } from '@nestjs/common';
import type { Clock } from '#libs/flow-control';
import type { PipelineRecord, ValidationIssue, Verdict } from '../pipeline/record.js';
import { storable } from '../pipeline/destination/retry-policy.js';
import type { Settlement } from '../pipeline/settlement.js';
import { UnsafeNumberError } from '../pipeline/unsafe-number.error.js';

/** No destination was reached. */
const NO_DESTINATION = '';

/**
 * The ends of records that their source holds (Kafka) and that go no further than IngressProcessing. Nothing here rejects:
 * what the books can't take is left to its source, which brings it again.
 */
export class SourceEndings {
  private readonly logger = new Logger('IngressProcessing');

  constructor(
    private readonly settlement: Settlement,
    private readonly clock: Clock,
  ) {}

  /** A dead letter, for the reason that the record's verdict gives. Resolves when the books have it. */
  async reject(record: PipelineRecord): Promise<void> {
    const { reason, error } = lettered(record.verdict);
    const { stage, attempts } = record;
    const destination = NO_DESTINATION;
    const atMs = this.clock.wallNow();
    record.failures = [{ atMs, stage, destination, error: storable(error) }];
    try {
      await this.settlement.deadLetter({ record, attempts, destination }, reason);
    } catch (failure) {
      this.leave([record], failure);
    }
  }

  /** Discarded, each with the reason of its verdict. Resolves when the books have it. */
  async discard(records: readonly PipelineRecord[]): Promise<void> {
    const endings = records.map((record) => {
      const { verdict, attempts } = record;
      const reason = verdict?.kind === 'discarded' ? storable(verdict.reason) : '';
      const terminal = { status: 'discarded', reason } as const;
      return { record, terminal, attempts, destination: NO_DESTINATION };
    });
    try {
      const refused = await this.settlement.finish(endings);
      for (const { ending, error } of refused) this.leave([ending.record], error);
    } catch (failure) {
      this.leave(records, failure);
    }
  }

  private leave(records: readonly PipelineRecord[], failure: unknown): void {
    const what = records.length === 1 ? `Record ${records[0]?.id}` : `${records.length} records`;
    this.logger.error(`Left to the source: ${what}: ${String(failure)}`);
    this.settlement.leave(records);
  }
}

function lettered(verdict: Verdict | undefined): { reason: string; error: string } {
  if (verdict?.kind === 'invalid') {
    return { reason: 'validation', error: verdict.issues.map(issueText).join(' ') };
  }
  const error = verdict?.kind === 'refused' ? verdict.error : undefined;
  const reason = error instanceof UnsafeNumberError ? 'unsafe-number' : 'pipeline';
  return { reason, error: error?.message ?? '' };
}

function issueText({ path, message }: ValidationIssue): string {
  return path === '' ? `${message}.` : `${path}: ${message}.`;
}
