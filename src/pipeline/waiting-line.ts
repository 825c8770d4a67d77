import type { StageMeter } from '#libs/back-pressure';
import { BoundedSemaphore, type Clock, type Permit } from '#libs/flow-control';
import type { Slice, StageId } from './stage.js';

export interface WaitingLineOptions {
  readonly stage: StageId;
  /** Records that may wait inside the stage for credits of the next one. */
  readonly capacity: number;
  /** Slices that may wait for their turn; the stage's credits are a safe bound, since each slice holds one. */
  readonly maxSlices: number;
  readonly clock: Clock;
  readonly meter: StageMeter;
}

/**
 * The line inside a stage of the upstream half, in front of the next stage.
 *
 * WL1 one slice at a time asks for credits of the next stage. A slice that got a part of them keeps its turn until it
 *     has the rest, or a later slice would pass between the two halves of a key.
 * WL2 at most `capacity` records wait. Those that their source holds (Kafka) find room in any case, for there is nobody
 *     to refuse them to: they are bounded by the credits of the stage.
 */
export class WaitingLine {
  readonly stage: StageId;
  private readonly capacity: number;
  private readonly clock: Clock;
  private readonly meter: StageMeter;
  private readonly turns: BoundedSemaphore;
  private slices: number;
  private waitingNow = 0;

  constructor({ stage, capacity, maxSlices, clock, meter }: WaitingLineOptions) {
    this.stage = stage;
    this.capacity = capacity;
    this.slices = maxSlices;
    this.clock = clock;
    this.meter = meter;
    this.turns = new BoundedSemaphore({
      name: `${stage} turn`,
      permits: 1,
      queueCapacity: maxSlices,
      clock,
    });
  }

  /** Takes more slices when the stage gets more credits; never fewer, since those that have credits may come yet. */
  admit(slices: number): void {
    this.slices = Math.max(this.slices, slices);
    this.turns.resize({ queueCapacity: this.slices });
  }

  /** Records that wait. */
  get waiting(): number {
    return this.waitingNow;
  }

  /** The turn, if nobody has it. */
  tryTurn(): Permit | undefined {
    return this.turns.tryAcquire();
  }

  /** Waits for the turn, first in, first out. Rejects when the slice's time is up or its caller has gone. */
  turn(slice: Slice): Promise<Permit> {
    const { signal, admitByMs } = slice;
    const timeoutMs = admitByMs - this.clock.now();
    return this.turns.acquire({
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === Infinity ? {} : { timeoutMs: Math.max(0, timeoutMs) }),
    });
  }

  /** Lets records wait; returns how many of `count` found room. */
  enter(count: number, { admitByMs }: Slice): number {
    const room = admitByMs === Infinity ? count : this.capacity - this.waitingNow;
    const entered = Math.max(0, Math.min(count, room));
    this.change(entered);
    return entered;
  }

  /** They wait no longer. */
  leave(count: number): void {
    this.change(-count);
  }

  private change(by: number): void {
    if (by === 0) return;
    this.waitingNow += by;
    this.meter.queue(this.waitingNow);
  }
}
