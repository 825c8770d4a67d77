import { Injectable, Logger } from '@nestjs/common';
import type { Admission } from '#libs/back-pressure';
import { UuidV7 } from '../ledger/uuid-v7.js';
import type { IdempotencyKey, Origin, PipelineRecord, Verdict } from '../pipeline/record.js';
import { refuse } from '../pipeline/pass-on.js';
import type { Slice } from '../pipeline/stage.js';
import { GatewayLimits } from './gateway.limits.js';
import { GatewayStage } from './gateway.stage.js';
import type { IntakeContext } from './intake-context.js';
import type { Envelope } from './records.schema.js';
import { Replays } from './replays.js';
import { keyRunning } from './request-error.js';
import { RunningKeys } from './running-keys.js';

/** Longest wait for credits of the stages up to the durable accept. */
export const ADMIT_WITHIN_MS = 1000;
/** Slow requests are told of at most once in this time. */
const SLOW_REPORT_EVERY_MS = 10_000;

/** Callers hear of the end of a record by `InFlight`, or ask for it. */
const REST_ORIGIN: Origin = { settled: () => undefined };

/** A checked record of a sender, and the bytes that its credits stand for. */
export interface Candidate {
  readonly envelope: Envelope;
  readonly sizeBytes: number;
  /** Undefined: a repeated request brings another record. */
  readonly idempotencyKey: IdempotencyKey | undefined;
}

export interface Submission {
  readonly context: IntakeContext;
  /** As many as `admission.count`. */
  readonly candidates: readonly Candidate[];
  readonly admission: Admission;
  /** Monotonic ms at which the Gateway's clock for these records began. */
  readonly sinceMs: number;
  /** Monotonic ms until which they may wait. */
  readonly admitByMs: number;
}

/**
 * Makes records of what REST brings and carries them to their verdict.
 *
 * RI1 the pipeline credit of a record that goes no further (refused, invalid, discarded) goes back here, once; that of
 *     an accepted one goes back at its end.
 * RI2 rate is charged for what was taken, not for what was refused or invalid; a place of the tenant stays with what was
 *     accepted, until its end.
 * RI3 of records with one idempotency key one is on its way to its verdict at a time; the others are refused.
 */
@Injectable()
export class RecordIntake {
  private readonly logger = new Logger(RecordIntake.name);
  private readonly ids: UuidV7;
  private readonly running = new RunningKeys();
  private slowSinceReport = 0;
  private reportedMs = -Infinity;

  constructor(
    private readonly gateway: GatewayStage,
    private readonly limits: GatewayLimits,
    readonly replays: Replays,
  ) {
    this.ids = new UuidV7(limits.runtime.clock);
  }

  /** Takes the admission over. Resolves with the records, each with its verdict. */
  async submit(submission: Submission): Promise<readonly PipelineRecord[]> {
    const { context, candidates, admission, admitByMs } = submission;
    const receivedAtMs = this.limits.runtime.clock.wallNow();
    const records = candidates.map((candidate) =>
      this.recordOf(candidate, context, admission, receivedAtMs),
    );
    // Their share of the rate is decided from here on by their verdicts.
    context.chargedRecords -= records.length;
    if (context.quota !== undefined) context.places -= records.length;
    this.limits.releaseBody(context);
    const begun = this.begin(records, admission);
    try {
      const slice = new RequestSlice(begun, admitByMs, context);
      if (begun.length > 0) await this.gateway.take(slice, admission.gateway);
    } finally {
      this.running.end(begun);
    }
    this.settle(records, context, submission.sinceMs);
    return records;
  }

  private recordOf(
    { envelope, sizeBytes, idempotencyKey }: Candidate,
    context: IntakeContext,
    admission: Admission,
    receivedAtMs: number,
  ): PipelineRecord {
    return {
      id: this.ids.next(),
      source: 'rest',
      tenant: context.tenant,
      priority: context.priorityOf(envelope.priority),
      headers: envelope.headers,
      idempotencyKey,
      expiresAtMs: context.expiresAtMs,
      receivedAtMs,
      sizeBytes,
      origin: REST_ORIGIN,
      credit: admission.pipeline,
      key: envelope.key,
      partition: -1,
      payload: envelope.payload,
      body: undefined,
      stage: 'Gateway',
      acceptedAtMs: 0,
      attempts: 0,
      failures: undefined,
      verdict: undefined,
      keyBytes: undefined,
      unsafeNumber: undefined,
      deliverTo: undefined,
      terminal: undefined,
    };
  }

  /** Those that may go on: of the others an earlier request with their key has no answer yet. */
  private begin(records: readonly PipelineRecord[], { gateway }: Admission) {
    const held = this.running.begin(records);
    if (held.size === 0) return records;
    refuse([...held], gateway, keyRunning());
    return records.filter((record) => !held.has(record));
  }

  private settle(
    records: readonly PipelineRecord[],
    { rate, quota }: IntakeContext,
    sinceMs: number,
  ): void {
    let refused = 0;
    let invalid = 0;
    let left = 0;
    for (const record of records) {
      const { kind } = verdictOf(record);
      if (kind === 'accepted') continue;
      record.credit.release(1, record.sizeBytes);
      left += 1;
      if (kind === 'refused') refused += 1;
      if (kind === 'invalid') invalid += 1;
    }
    rate.giveBack(refused + invalid);
    quota?.leave(left);
    const served = records.length - refused;
    if (served > 0) this.measure(served, sinceMs);
  }

  private measure(served: number, sinceMs: number): void {
    const { clock, controller } = this.limits.runtime;
    const nowMs = clock.now();
    const latencyMs = nowMs - sinceMs;
    controller.meter('Gateway').completed(served, latencyMs);
    const { slowProcessingThresholdMs } = this.limits.options;
    if (latencyMs <= slowProcessingThresholdMs) return;
    this.slowSinceReport += 1;
    this.logger.debug(`A request of ${served} records took ${Math.round(latencyMs)} ms.`);
    if (nowMs - this.reportedMs < SLOW_REPORT_EVERY_MS) return;
    this.logger.warn(
      `Requests slower than ${slowProcessingThresholdMs} ms since the last report: ${this.slowSinceReport}.`,
    );
    this.slowSinceReport = 0;
    this.reportedMs = nowMs;
  }
}

/** The records of a request. Whether its caller has left is asked only by those who wait. */
class RequestSlice implements Slice {
  constructor(
    readonly records: readonly PipelineRecord[],
    readonly admitByMs: number,
    private readonly context: IntakeContext,
  ) {}

  get signal(): AbortSignal {
    return this.context.signal;
  }
}

/** The verdict of a record that the upstream half has answered for. */
export function verdictOf(record: PipelineRecord): Verdict {
  return record.verdict ?? NO_VERDICT;
}

const NO_VERDICT: Verdict = {
  kind: 'refused',
  error: new Error('A stage returned without a verdict.'),
};
