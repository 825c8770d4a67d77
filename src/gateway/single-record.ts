import { Injectable } from '@nestjs/common';
import type { Admission } from '#libs/back-pressure';
import { InFlight } from '../pipeline/in-flight.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { AdmissionHook } from './admission.hook.js';
import { recordTooLarge } from './array-batch.js';
import type { IntakeBody } from './body-reader.js';
import { GatewayLimits } from './gateway.limits.js';
import { GatewayStage } from './gateway.stage.js';
import type { IntakeContext } from './intake-context.js';
import { inside } from './record-form.js';
import { ADMIT_WITHIN_MS, type Candidate, RecordIntake, verdictOf } from './record-intake.js';
import { type AcceptedAnswer, type Envelope, isIssues } from './records.schema.js';
import { invalidRecord } from './request-error.js';

/** One record by REST: from its body to its verdict, and to its end for a caller that waits for it. */
@Injectable()
export class SingleRecord {
  constructor(
    private readonly intake: RecordIntake,
    private readonly hook: AdmissionHook,
    private readonly limits: GatewayLimits,
    private readonly gateway: GatewayStage,
    private readonly inFlight: InFlight,
  ) {}

  /** Throws what is wrong with the body. */
  check({ value, issues, sizeBytes }: IntakeBody, context: IntakeContext): Envelope {
    const { form } = context;
    if (issues.length > 0) throw invalidRecord(inside(form.bodyPath, issues));
    const checked = form.check(value);
    if (isIssues(checked)) throw invalidRecord(checked);
    const { maxRecordBytes } = this.limits.bounds;
    // The text may have spaces that the record has not.
    if (sizeBytes > maxRecordBytes && Buffer.byteLength(JSON.stringify(value)) > maxRecordBytes) {
      throw recordTooLarge(maxRecordBytes);
    }
    const isBulk = context.priorityOf(checked.priority) === 'bulk';
    if (isBulk && !this.hook.admitsBulk) throw this.hook.bulkRefused();
    return checked;
  }

  /** Takes the admission over. Resolves with a record that was taken, throws why it was not. */
  async accept(
    candidate: Candidate,
    admission: Admission,
    context: IntakeContext,
  ): Promise<PipelineRecord> {
    const sinceMs = context.readyAtMs;
    const admitByMs = sinceMs + ADMIT_WITHIN_MS;
    const candidates = [candidate];
    const times = { sinceMs, admitByMs };
    const [record] = await this.intake.submit({ context, candidates, admission, ...times });
    if (record === undefined) throw new RangeError('An admission of no records was submitted.');
    const verdict = verdictOf(record);
    if (verdict.kind === 'refused') throw verdict.error;
    if (verdict.kind === 'invalid') {
      throw invalidRecord(inside(context.form.payloadPath, verdict.issues));
    }
    return record;
  }

  /** What is said of a replay: where the earlier record is now. */
  async replay(earlierId: string): Promise<AcceptedAnswer> {
    const [answer] = await this.intake.replays.answersOf([earlierId]);
    return answer!;
  }

  /** Waits for the end of a record that was taken; ends early when the caller leaves or the service drains. */
  async end(id: string, waitMs: number, { signal }: IntakeContext): Promise<void> {
    const waiting = new AbortController();
    const stop = (): void => waiting.abort();
    const timer = this.limits.runtime.clock.setTimer(waitMs, stop);
    const reasons = [signal, this.gateway.draining];
    try {
      for (const reason of reasons) {
        if (reason.aborted) return;
        reason.addEventListener('abort', stop, { once: true });
      }
      await this.inFlight.waitFor(id, waiting.signal);
    } finally {
      timer.cancel();
      for (const reason of reasons) reason.removeEventListener('abort', stop);
    }
  }
}

/** What is said of a record that was taken and is no replay, as far as its end is known. */
export function answerOf({ id, verdict, terminal }: PipelineRecord): AcceptedAnswer {
  if (verdict?.kind === 'discarded') return { id, status: 'discarded', reason: verdict.reason };
  if (terminal === undefined) return { id, status: 'accepted' };
  const { status, reason } = terminal;
  return { id, status, ...(reason === undefined ? {} : { reason }) };
}
