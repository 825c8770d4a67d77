import type { Readable } from 'node:stream';
import { Injectable } from '@nestjs/common';
import type { Admission } from '#libs/back-pressure';
import { type Permit, sleep } from '#libs/flow-control';
import { AdmissionHook } from './admission.hook.js';
import { recordTooLarge } from './array-batch.js';
import type { BatchResults } from './batch-results.js';
import { type BatchCandidate, BatchRun } from './batch-run.js';
import { GatewayLimits } from './gateway.limits.js';
import { GATEWAY_PERMITS, GatewayStage } from './gateway.stage.js';
import type { IntakeContext } from './intake-context.js';
import { parseJsonBody } from './json/json-body.js';
import { KeyReader } from './key-reader.js';
import { LineStream } from './json/line-stream.js';
import { type Line, TOO_LONG } from './json/ndjson.js';
import { RecordIntake } from './record-intake.js';
import { checkEnvelope, isIssues, type StreamEnd } from './records.schema.js';
import { invalidRecord, RequestError } from './request-error.js';

/** Records for which credits, rate and a permit are taken together. */
const SLICE_RECORDS = 100;
/** Whether its tenant may have one more record in flight is asked again after so long. */
const LOOK_FOR_PLACE_EVERY_MS = 20;
/** How long a stream waits for credits and rate in all while none of its records is admitted. */
const STALL_MS = 1000;

interface StreamOutcome {
  readonly results: BatchResults;
  readonly ended: StreamEnd | undefined;
}

/**
 * A batch as an NDJSON stream.
 *
 * SB1 while a slice waits for rate, credits or a permit, the socket is not read.
 * SB2 a permit stands for a slice, from its credits to its answers; a stream that is silent holds none.
 * SB3 after 1 s of waiting in which nothing was admitted it waits no longer: what comes is tried once and refused, until
 *     a record is admitted.
 */
@Injectable()
export class StreamBatch {
  constructor(
    private readonly intake: RecordIntake,
    private readonly hook: AdmissionHook,
    private readonly limits: GatewayLimits,
    private readonly keys: KeyReader,
    private readonly gateway: GatewayStage,
  ) {}

  /** Reads to the end of the stream. Rejects when the sender leaves before. */
  async run(source: Readable, context: IntakeContext): Promise<StreamOutcome> {
    const { intake, hook, keys, limits } = this;
    const { maxRecordBytes, maxBatchRecords, maxStreamBytes } = limits.bounds;
    const lines = new LineStream(source, {
      maxLineBytes: maxRecordBytes,
      maxLines: maxBatchRecords,
      maxBytes: maxStreamBytes,
      clock: limits.runtime.clock,
      draining: this.gateway.draining,
    });
    const { random, controller } = limits.runtime;
    const { events } = controller;
    const run = new BatchRun({ intake, hook, keys, context, random, events });
    const passage = new StreamPassage(run, limits, context);
    const sliceRecords = Math.min(SLICE_RECORDS, context.rate.perSecondMax);
    let index = 0;
    for (;;) {
      const slice = await lines.next(sliceRecords);
      if (slice.length === 0) return { results: run.results, ended: lines.ended };
      await passage.offer(this.check(slice, index, { context, results: run.results }));
      index += slice.length;
    }
  }

  private check(
    lines: readonly Line[],
    from: number,
    { context, results }: { readonly context: IntakeContext; readonly results: BatchResults },
  ): BatchCandidate[] {
    const candidates: BatchCandidate[] = [];
    for (const [i, line] of lines.entries()) {
      const checked = this.checkLine(line, from + i, context);
      if (checked instanceof RequestError) results.refuse(from + i, checked);
      else candidates.push(checked);
    }
    return candidates;
  }

  private checkLine(
    line: Line,
    index: number,
    { requestKey }: IntakeContext,
  ): BatchCandidate | RequestError {
    if (line === TOO_LONG) return recordTooLarge(this.limits.bounds.maxRecordBytes);
    try {
      const { value, issues } = parseJsonBody(line);
      if (issues.length > 0) return invalidRecord(issues);
      const envelope = checkEnvelope(value);
      if (isIssues(envelope)) return invalidRecord(envelope);
      const idempotencyKey = requestKey?.ofElement(index, line);
      return { index, envelope, sizeBytes: line.length, idempotencyKey };
    } catch (error) {
      if (error instanceof RequestError) return error;
      throw error;
    }
  }
}

/** Takes the slices of one stream in, one after the other, and keeps its stall clock. */
class StreamPassage {
  /** What is left of `STALL_MS`; starts anew with every record that is admitted. */
  private patienceMs = STALL_MS;
  private hasAdmitted = false;

  constructor(
    private readonly run: BatchRun,
    private readonly limits: GatewayLimits,
    private readonly context: IntakeContext,
  ) {}

  async offer(candidates: readonly BatchCandidate[]): Promise<void> {
    const { context } = this;
    const { clock } = this.limits.runtime;
    let rest = this.run.triable(candidates);
    try {
      if (rest.length > 0) rest = await this.timed(() => this.takeRate(rest));
      while (rest.length > 0) {
        await this.timed(() => this.waitForPlace());
        const sinceMs = clock.now();
        rest = this.run.triable(await this.timed(() => this.submitSome(rest, sinceMs)));
      }
    } finally {
      // What was refused costs nothing.
      context.rate.giveBack(context.chargedRecords);
      context.chargedRecords = 0;
    }
  }

  /** Counts the time of a step against the patience, unless a record was admitted in it. */
  private async timed<T>(step: () => Promise<T>): Promise<T> {
    const { clock } = this.limits.runtime;
    const startMs = clock.now();
    this.hasAdmitted = false;
    const result = await step();
    if (this.hasAdmitted) this.patienceMs = STALL_MS;
    else this.patienceMs -= clock.now() - startMs;
    this.context.signal.throwIfAborted();
    return result;
  }

  /** Waits until the rate admits the slice; without patience it is refused. */
  private async takeRate(slice: readonly BatchCandidate[]): Promise<readonly BatchCandidate[]> {
    const { clock } = this.limits.runtime;
    const untilMs = clock.now() + this.patienceMs;
    for (;;) {
      const refusal = this.context.rate.take(slice.length);
      if (refusal === undefined) {
        this.context.chargedRecords += slice.length;
        return slice;
      }
      if (clock.now() + refusal.retryAfterMs > untilMs) {
        this.run.refuse(slice, refusal);
        return [];
      }
      await sleep(clock, refusal.retryAfterMs, this.context.signal);
    }
  }

  /** Waits until the tenant may have one more record in flight, or the patience is over. */
  private async waitForPlace(): Promise<void> {
    const { context } = this;
    const { quota } = context;
    if (quota === undefined) return;
    const { clock } = this.limits.runtime;
    const untilMs = clock.now() + this.patienceMs;
    for (;;) {
      if (context.places === 0) context.places = quota.takePlaces(1);
      if (context.places > 0 || clock.now() >= untilMs) return;
      await sleep(clock, LOOK_FOR_PLACE_EVERY_MS, context.signal);
    }
  }

  /** Admits and submits what credits are there for, or refuses all; gives the rest. */
  private async submitSome(
    candidates: readonly BatchCandidate[],
    sinceMs: number,
  ): Promise<readonly BatchCandidate[]> {
    const slice = this.run.withPlaces(candidates);
    const { clock } = this.limits.runtime;
    let admission: Admission;
    let permit: Permit;
    try {
      if (slice.length === 0) throw this.context.quota!.full();
      admission = await this.admit(slice);
      permit = await this.permit(admission);
    } catch (error) {
      this.run.refuse(candidates, error as Error);
      return [];
    }
    try {
      const admitByMs = clock.now() + Math.max(0, this.patienceMs);
      const served = await this.run.submit(slice, admission, { sinceMs, admitByMs });
      this.hasAdmitted = served > 0;
    } finally {
      permit.release();
    }
    return candidates.slice(admission.count);
  }

  private async admit(slice: readonly BatchCandidate[]): Promise<Admission> {
    const { controller } = this.limits.runtime;
    const sizes = slice.map(({ sizeBytes }) => sizeBytes);
    const { signal } = this.context;
    const timeoutMs = Math.max(0, this.patienceMs);
    return (
      controller.tryAdmit(slice.length, sizes) ??
      (await controller.admit(slice.length, { sizes, signal, timeoutMs }))
    );
  }

  private async permit(admission: Admission): Promise<Permit> {
    const { controller } = this.limits.runtime;
    try {
      const free = controller.semaphore(GATEWAY_PERMITS).tryAcquire();
      if (free !== undefined) return free;
      const timeoutMs = Math.max(0, this.patienceMs);
      return await controller.acquirePermit(GATEWAY_PERMITS, {
        signal: this.context.signal,
        timeoutMs,
      });
    } catch (error) {
      admission.release();
      throw error;
    }
  }
}
