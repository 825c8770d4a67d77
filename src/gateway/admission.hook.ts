import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  BackPressureController,
  CapacityExhaustedError,
  IntakeClosedError,
} from '#libs/back-pressure';
import { Journal } from '../ledger/journal.port.js';
import { NEVER_MS } from '../pipeline/expiry.js';
import { Intake } from '../pipeline/intake.js';
import { GatewayLimits } from './gateway.limits.js';
import { IntakeContext } from './intake-context.js';
import { Callers } from './tenants/callers.js';
import { journalFull } from './problems.js';
import { bodyTooLarge } from './body-reader.js';
import { expectedDelayMs } from './expected-delay.js';
import { isJsonType } from './cloud-events/cloud-event.js';
import { attributesOf, isBinaryEvent } from './cloud-events/event-headers.js';
import { RequestError } from './request-error.js';
import { requireJsonAccepted } from './protocol-rules.js';
import { ENVELOPE, EVENT, EventData, type RecordForm } from './record-form.js';
import {
  deadlineOf,
  deadlinePassed,
  type HeaderFields,
  mediaTypeOf,
  priorityOf,
  requireBodyOf,
  requirePlainUtf8,
} from './request-headers.js';
import { requestKeyOf } from './request-key.js';

const STREAM_TYPE = 'application/x-ndjson';
const EVENT_TYPE = 'application/cloudevents+json';
const EVENT_BATCH_TYPE = 'application/cloudevents-batch+json';
const RECORD_TYPES = ['application/json', EVENT_TYPE] as const;
const BATCH_TYPES = ['application/json', STREAM_TYPE, EVENT_BATCH_TYPE] as const;
/** A slot of a stream, or memory for a body, comes free when some request ends. */
const SLOT_RETRY_MS = 1000;

/**
 * What is decided about a request with records before its body is read, cheapest first: who sends it, whether anything can be
 * accepted (a stranger is not told), its header fields and declared size, early throttling, rate.
 *
 * Gives the request its IntakeContext. Whatever is taken for it goes back when the response closes.
 */
@Injectable()
export class AdmissionHook {
  constructor(
    private readonly limits: GatewayLimits,
    private readonly controller: BackPressureController,
    private readonly intake: Intake,
    private readonly journal: Journal,
    private readonly callers: Callers,
  ) {}

  /** Throws why the request is refused; nothing is taken then. */
  admit(request: FastifyRequest, reply: FastifyReply, isBatch: boolean): IntakeContext {
    const { headers } = request;
    const tenant = this.callers.tenantOf(headers);
    this.requireOpen();
    const form = formOf(headers, isBatch);
    requirePlainUtf8(headers);
    requireJsonAccepted(request);
    const isStream = mediaTypeOf(headers) === STREAM_TYPE;
    const quota = this.callers.quotaOf(tenant);
    const { rate = this.limits.rate } = quota ?? {};
    const priority = priorityOf(headers);
    const expiresAtMs = this.deadline(headers);
    const context = new IntakeContext({
      tenant,
      rate,
      quota,
      priority,
      isStream,
      form,
      expiresAtMs,
    });
    context.requestKey = requestKeyOf(request, isBatch);
    const bodyBytes = this.bodyBytes(request, isStream);
    if (priority === 'bulk' && !this.admitsBulk) throw this.bulkRefused();
    if (isStream) this.openStream();
    else this.reserve(context, bodyBytes);
    request.intake = context;
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) context.callerLeft();
      this.limits.end(context);
    });
    return context;
  }

  /** How long the caller is to be delayed; 0 mostly. Throws when as many callers are delayed as may be. */
  delayMs(): number {
    const delayMs = this.controller.getStageThrottleDelayMs('Gateway');
    if (delayMs > 0 && !this.limits.hasRoomForDelay) {
      throw this.controller.refusal('Gateway', 'throttled');
    }
    return delayMs;
  }

  private requireOpen(): void {
    if (this.limits.takesKafkaOnly) {
      throw new RequestError(
        'kafka-only',
        'The service delivers exactly once, which it can for records of its input topics alone: produce to them.',
      );
    }
    const { closed } = this.intake;
    if (closed !== undefined) throw new IntakeClosedError(closed);
    if (this.journal.isFull) throw journalFull('The journal holds as many records as it may.');
  }

  /** Bytes that the body may bring. Throws `too-large` when it declares more than is allowed. */
  private bodyBytes({ headers }: FastifyRequest, isStream: boolean): number {
    const { maxBodyBytes, maxStreamBytes } = this.limits.bounds;
    const most = isStream ? maxStreamBytes : maxBodyBytes;
    const declared = headers['content-length'];
    if (declared === undefined) return most;
    if (Number(declared) > most) throw bodyTooLarge(most);
    return Number(declared);
  }

  /** Whether records of the lowest priority are taken. */
  get admitsBulk(): boolean {
    return this.controller.admitsBulk;
  }

  /** Why a request under way brings nothing more in either; a drain ends it in its own way. */
  get paused(): IntakeClosedError | undefined {
    if (!this.intake.isClosedBy('paused')) return undefined;
    const closed = this.intake.all().find(({ reason }) => reason === 'paused');
    return closed && new IntakeClosedError(closed);
  }

  bulkRefused(): CapacityExhaustedError {
    return this.controller.refusal('Gateway', 'bulk', 'Bulk records are not taken at the moment.');
  }

  /** Of a stream, whose deadline may pass while it goes on. */
  deadlinePassed({ expiresAtMs }: IntakeContext): RequestError | undefined {
    const { clock } = this.limits.runtime;
    return clock.wallNow() < expiresAtMs ? undefined : deadlinePassed();
  }

  /** Infinity for none. Throws when it has passed, or is not to be met by what a record takes at the moment. */
  private deadline(headers: HeaderFields): number {
    const { clock } = this.limits.runtime;
    const expiresAtMs = deadlineOf(headers, clock);
    if (expiresAtMs === NEVER_MS) return expiresAtMs;
    const delayMs = expectedDelayMs(this.controller);
    const leftMs = expiresAtMs - clock.wallNow();
    if (delayMs <= leftMs) return expiresAtMs;
    const detail = `A record takes ${Math.round(delayMs)} ms at the moment, and its deadline is in ${leftMs} ms.`;
    throw this.controller.refusal('Gateway', 'deadline', detail);
  }

  private openStream(): void {
    if (this.limits.openStream()) return;
    const { maxStreams } = this.limits.options;
    throw this.noSlot('streams', `${maxStreams} streams are open, which is the most.`);
  }

  private reserve(context: IntakeContext, bodyBytes: number): void {
    if (!this.limits.reserveBody(context, bodyBytes)) {
      throw this.noSlot(
        'body-memory',
        'Requests that are being read hold all the memory they may.',
      );
    }
    const refusal = this.charge(context);
    if (refusal === undefined) return;
    this.limits.end(context);
    throw refusal;
  }

  /** The first record's share of the rate and its place among the tenant's. */
  private charge(context: IntakeContext): Error | undefined {
    const refusal = context.rate.take();
    if (refusal !== undefined) return refusal;
    context.chargedRecords = 1;
    const { quota } = context;
    if (quota === undefined) return undefined;
    context.places = quota.takePlaces(1);
    return context.places === 0 ? quota.full() : undefined;
  }

  private noSlot(signal: string, detail: string): CapacityExhaustedError {
    return new CapacityExhaustedError({
      stage: 'Gateway',
      signal,
      retryAfterMs: SLOT_RETRY_MS,
      detail,
    });
  }
}

/** How the records are written. Throws when the body is none of that, and what is wrong with a CloudEvent's attributes. */
function formOf(headers: HeaderFields, isBatch: boolean): RecordForm {
  const type = mediaTypeOf(headers);
  if (isBatch) {
    requireBodyOf(headers, BATCH_TYPES);
    return type === EVENT_BATCH_TYPE ? EVENT : ENVELOPE;
  }
  if (type !== EVENT_TYPE && isBinaryEvent(headers)) {
    requireBodyOf(headers, type !== undefined && isJsonType(type) ? [type] : RECORD_TYPES);
    return new EventData(attributesOf(headers));
  }
  requireBodyOf(headers, RECORD_TYPES);
  return type === EVENT_TYPE ? EVENT : ENVELOPE;
}
