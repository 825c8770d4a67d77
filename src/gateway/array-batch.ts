import { setImmediate as nextTurn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { ValidationIssue } from '../pipeline/record.js';
import { AdmissionHook } from './admission.hook.js';
import type { BatchResults } from './batch-results.js';
import { type BatchCandidate, BatchRun } from './batch-run.js';
import type { IntakeBody } from './body-reader.js';
import { GatewayLimits } from './gateway.limits.js';
import { GATEWAY_PERMITS } from './gateway.stage.js';
import type { IntakeContext } from './intake-context.js';
import { topOf } from './json/json-issues.js';
import { KeyReader } from './key-reader.js';
import { ADMIT_WITHIN_MS, RecordIntake } from './record-intake.js';
import { isIssues } from './records.schema.js';
import { RequestError } from './request-error.js';

/** Records that are worked on without letting others have a turn. */
const SLICE_RECORDS = 500;

/**
 * A batch as a JSON array: passes the rate limit as a whole, up to one second of rate, and one permit stands for it. Then
 * each record is admitted or refused at once; nothing waits for credits of the Gateway.
 */
@Injectable()
export class ArrayBatch {
  constructor(
    private readonly intake: RecordIntake,
    private readonly hook: AdmissionHook,
    private readonly limits: GatewayLimits,
    private readonly keys: KeyReader,
  ) {}

  /** Throws what is wrong with the batch as a whole. */
  async run(body: IntakeBody, context: IntakeContext): Promise<BatchResults> {
    const elements = this.elementsOf(body);
    const { intake, hook, keys } = this;
    const { controller, random } = this.limits.runtime;
    const { events } = controller;
    const run = new BatchRun({ intake, hook, keys, context, random, events });
    const permit = await controller.acquirePermit(GATEWAY_PERMITS, { signal: context.signal });
    try {
      const candidates = this.check(elements, issuesByElement(body.issues), {
        context,
        results: run.results,
      });
      const charged = this.charge(candidates, context);
      for (let from = 0; from < charged.length; from += SLICE_RECORDS) {
        if (from > 0) await nextTurn();
        await this.offer(charged.slice(from, from + SLICE_RECORDS), context, run);
      }
      // Last: a refusal makes a hole in its key, and those before it are none of its business.
      const above = candidates.slice(charged.length);
      if (above.length > 0) run.refuse(above, context.rate.aboveASecond());
    } finally {
      permit.release();
    }
    return run.results;
  }

  private elementsOf({ value }: IntakeBody): readonly unknown[] {
    if (!Array.isArray(value)) {
      throw new RequestError('malformed', 'The body must be an array of records.');
    }
    const { maxBatchRecords: limitRecords } = this.limits.bounds;
    if (value.length <= limitRecords) return value as unknown[];
    const detail = `A batch must have at most ${limitRecords} records (got ${value.length}).`;
    throw new RequestError('too-large', detail, { limitRecords });
  }

  /** Those that can be taken; the others have their result. */
  private check(
    elements: readonly unknown[],
    issues: ReadonlyMap<number, readonly ValidationIssue[]>,
    { context, results }: { readonly context: IntakeContext; readonly results: BatchResults },
  ): readonly BatchCandidate[] {
    const { maxRecordBytes } = this.limits.bounds;
    const candidates: BatchCandidate[] = [];
    for (const [index, element] of elements.entries()) {
      const found = issues.get(index);
      const checked = found ?? context.form.check(element);
      if (isIssues(checked)) {
        results.invalid(index, checked);
        continue;
      }
      const text = JSON.stringify(element);
      const sizeBytes = Buffer.byteLength(text);
      if (sizeBytes > maxRecordBytes) {
        results.refuse(index, recordTooLarge(maxRecordBytes));
        continue;
      }
      const idempotencyKey = context.requestKey?.ofElement(index, text) ?? checked.idempotencyKey;
      candidates.push({ index, envelope: checked, sizeBytes, idempotencyKey });
    }
    return candidates;
  }

  /** Charges the rate; the hook has charged one record. What is above one second of rate is not among the charged. */
  private charge(
    candidates: readonly BatchCandidate[],
    context: IntakeContext,
  ): readonly BatchCandidate[] {
    const { rate } = context;
    const charged = candidates.slice(0, rate.perSecondMax);
    if (charged.length > 1) rate.charge(charged.length - 1);
    context.chargedRecords += Math.max(0, charged.length - 1);
    return charged;
  }

  private async offer(
    candidates: readonly BatchCandidate[],
    context: IntakeContext,
    run: BatchRun,
  ): Promise<void> {
    const { controller, clock } = this.limits.runtime;
    const { signal } = context;
    const found = run.triable(candidates);
    const triable = run.withPlaces(found);
    const beyond = found.slice(triable.length);
    if (beyond.length > 0) run.refuse(beyond, context.quota!.full());
    if (triable.length === 0) return;
    const sizes = triable.map(({ sizeBytes }) => sizeBytes);
    const admission = signal.aborted ? undefined : controller.tryAdmit(triable.length, sizes);
    const rest = triable.slice(admission?.count ?? 0);
    if (rest.length > 0) run.refuse(rest, controller.refusal('Gateway', 'credit'));
    if (admission === undefined) return;
    const sinceMs = clock.now();
    const admitByMs = sinceMs + ADMIT_WITHIN_MS;
    await run.submit(triable, admission, { sinceMs, admitByMs });
  }
}

export function recordTooLarge(limitBytes: number): RequestError {
  return new RequestError('too-large', `A record must have at most ${limitBytes} bytes.`, {
    limitBytes,
  });
}

/** Issues of a body that is an array, by element, with paths that begin at the element. */
function issuesByElement(
  issues: readonly ValidationIssue[],
): ReadonlyMap<number, readonly ValidationIssue[]> {
  const byElement = new Map<number, ValidationIssue[]>();
  for (const { path, message } of issues) {
    const top = topOf(path);
    const index = Number(top.slice(1));
    const found = byElement.get(index) ?? [];
    found.push({ path: path.slice(top.length), message });
    byElement.set(index, found);
  }
  return byElement;
}
