import { setMaxListeners } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import type { StageMeter } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import { drain } from '../pipeline/drain.js';
import { passOn } from '../pipeline/pass-on.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import type { Slice, Stage } from '../pipeline/stage.js';
import { WaitingLine } from '../pipeline/waiting-line.js';
import { GATEWAY_OPTIONS, type GatewayOptions } from './gateway.options.js';

/** The semaphore of requests, and of slices of streams, that are worked on. */
export const GATEWAY_PERMITS = 'gateway';

/**
 * The upstream end of the pipeline: what the sources bring goes on from here, in intake order, as KeyGen grants credits.
 *
 * Records come with a credit of the Gateway; it goes back when KeyGen has taken them, or with their refusal.
 */
@Injectable()
export class GatewayStage implements Stage {
  readonly id = 'Gateway';
  private readonly ending = new AbortController();
  private readonly line: WaitingLine;
  private next: Stage | undefined;
  private inside = 0;

  constructor(
    @Inject(GATEWAY_OPTIONS) private readonly options: GatewayOptions,
    private readonly runtime: StageRuntime,
  ) {
    const { controller, clock } = runtime;
    const { bufferSize, maxConcurrentRequests: permits, maxQueueSize: queueCapacity } = options;
    controller.semaphore(GATEWAY_PERMITS, { permits, queueCapacity, stage: this.id });
    // Every open stream and every caller that waits for an end listens: as many as there are requests.
    setMaxListeners(0, this.ending.signal);
    this.line = new WaitingLine({
      stage: this.id,
      capacity: bufferSize,
      maxSlices: bufferSize,
      clock,
      meter: withoutQueue(controller.meter(this.id)),
    });
  }

  /** Aborted when the drain begins: who waits for the end of a record is answered then. */
  get draining(): AbortSignal {
    return this.ending.signal;
  }

  connect(next: Stage): void {
    this.next = next;
  }

  take(slice: Slice, lot: Lot): Promise<void> {
    if (this.next === undefined) throw new Error('The Gateway is not connected to a next stage.');
    const { controller, clock } = this.runtime;
    const passed = passOn(slice, lot, this.next, { controller, clock, line: this.line });
    // What its source holds is waited for by the source's own drain.
    if (slice.admitByMs === Infinity) return passed;
    const { length } = slice.records;
    this.inside += length;
    const left = (): void => {
      this.inside -= length;
    };
    // It never rejects: what goes wrong is a verdict.
    return passed.then(left);
  }

  start(): void {
    const { controller, limits } = this.runtime;
    // What is worked on must not be shortened by a reaction, only what waits.
    const serve = (atATime: number): void =>
      controller.resizeStage(this.id, { inServiceLimit: atATime });
    serve(this.options.maxConcurrentRequests);
    limits.watch(this.id, ({ bufferSize, maxConcurrentRequests: permits }) => {
      this.line.admit(bufferSize);
      if (permits === undefined) return;
      controller.semaphore(GATEWAY_PERMITS).resize({ permits });
      serve(permits);
    });
  }

  async drain(deadlineMs: number): Promise<void> {
    this.ending.abort(new Error('The service is draining.'));
    const { clock } = this.runtime;
    await drain({ clock, deadlineMs, inside: () => this.inside, stuckAfterMs: STUCK_AFTER_MS });
  }

  stop(): void {
    this.ending.abort(new Error('The service has stopped.'));
  }
}

/**
 * The Gateway's queue is the line of callers at its door, which the controller measures. What waits inside for KeyGen
 * shows in the credits.
 */
function withoutQueue(meter: StageMeter): StageMeter {
  return {
    queue: () => undefined,
    queueCapacity: (capacity) => meter.queueCapacity(capacity),
    inService: (running, limit) => meter.inService(running, limit),
    completed: (count, latencyMs) => meter.completed(count, latencyMs),
    failed: (count, cause) => meter.failed(count, cause),
    blocked: (isBlocked) => meter.blocked(isBlocked),
  };
}

/** Longer than any record may wait for its verdict. */
const STUCK_AFTER_MS = 5000;
