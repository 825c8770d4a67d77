import { Inject, Injectable, Optional } from '@nestjs/common';
import { sleep } from '#libs/flow-control';
import { BOUNDS_OPTIONS, type BoundsOptions } from '../config/bounds.options.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { GATEWAY_OPTIONS, type GatewayOptions } from './gateway.options.js';
import type { IntakeContext } from './intake-context.js';
import { RecordRate } from './tenants/record-rate.js';

/** Injects whether records come from Kafka alone. */
export const KAFKA_ONLY = Symbol('KAFKA_ONLY');

/** Bodies of the largest size that may be in memory before their records have credits. */
const MOST_LARGEST_BODIES = 64;

/**
 * What bounds requests before their records have credits: rate, open streams, delayed callers and the bytes of bodies.
 *
 * L1 what is taken for a request goes back exactly once, when the request ends, on every path.
 * L2 only accepted records cost rate: what is refused later gives its share back.
 */
@Injectable()
export class GatewayLimits {
  /** Of all tenants together. */
  readonly rate: RecordRate;
  private concurrentRequests: number;
  private readonly maxBodyBytesHeld: number;
  private openStreams = 0;
  private delayedCallers = 0;
  private bodyBytesHeld = 0;

  constructor(
    @Inject(GATEWAY_OPTIONS) readonly options: GatewayOptions,
    @Inject(BOUNDS_OPTIONS) readonly bounds: BoundsOptions,
    readonly runtime: StageRuntime,
    /** Requests bring no records: in exactly-once mode. */
    @Optional() @Inject(KAFKA_ONLY) readonly takesKafkaOnly = false,
  ) {
    const { clock } = runtime;
    const ratePerSecond = options.maxRequestsPerSecond;
    this.rate = new RecordRate({ ratePerSecond, clock, signal: 'rate', owner: 'The rate' });
    this.concurrentRequests = options.maxConcurrentRequests;
    runtime.limits.watch('Gateway', ({ maxRequestsPerSecond, maxConcurrentRequests }) => {
      this.concurrentRequests = maxConcurrentRequests ?? this.concurrentRequests;
      if (maxRequestsPerSecond !== undefined) this.rate.resize(maxRequestsPerSecond);
    });
    this.maxBodyBytesHeld = bounds.maxBodyBytes * MOST_LARGEST_BODIES;
  }

  /** False when as many streams are open as may be. */
  openStream(): boolean {
    if (this.openStreams >= this.options.maxStreams) return false;
    this.openStreams += 1;
    return true;
  }

  /** Reserves memory for a body; false when bodies already hold all they may. */
  reserveBody(context: IntakeContext, bytes: number): boolean {
    if (this.bodyBytesHeld + bytes > this.maxBodyBytesHeld) return false;
    this.bodyBytesHeld += bytes;
    context.reservedBodyBytes = bytes;
    return true;
  }

  /** Idempotent. From here on the records' credits stand for the bytes. */
  releaseBody(context: IntakeContext): void {
    this.bodyBytesHeld -= context.reservedBodyBytes;
    context.reservedBodyBytes = 0;
  }

  /** Room for one more delayed caller. */
  get hasRoomForDelay(): boolean {
    return this.delayedCallers < this.concurrentRequests;
  }

  /** Waits; ends early, without an error, when the caller leaves. */
  async delay(delayMs: number, signal: AbortSignal): Promise<void> {
    this.delayedCallers += 1;
    try {
      await sleep(this.runtime.clock, delayMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.delayedCallers -= 1;
    }
  }

  /** The request is over: gives back what it still holds. Called once. */
  end(context: IntakeContext): void {
    this.releaseBody(context);
    if (context.isStream) this.openStreams -= 1;
    context.rate.giveBack(context.chargedRecords);
    context.chargedRecords = 0;
    context.quota?.leave(context.places);
    context.places = 0;
  }

  snapshot(): { openStreams: number; delayedCallers: number; bodyBytesHeld: number } {
    const { openStreams, delayedCallers, bodyBytesHeld } = this;
    return { openStreams, delayedCallers, bodyBytesHeld };
  }
}
