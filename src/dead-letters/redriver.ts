import { Logger } from '@nestjs/common';
import type { Clock, Timer } from '#libs/flow-control';
import { letterOf } from '../ledger/redriven.js';
import type { Ledger } from '../ledger/ledger.js';
import type { InFlight } from '../pipeline/in-flight.js';
import type { Pauses } from '../pipeline/pauses.js';
import type { PipelineSource } from '../pipeline/pipeline.lifecycle.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { DeadLetterStore } from './dead-letter-store.js';
import type { RedriveEntry } from './redrive-entry.port.js';
import type { QueuedLetter, RedriveQueue } from './redrive-queue.js';

export interface RedriverParts {
  readonly queue: Pick<RedriveQueue, 'recount' | 'next' | 'take'>;
  readonly store: Pick<DeadLetterStore, 'counts' | 'events'>;
  readonly ledger: Pick<Ledger, 'isOpen' | 'listen'>;
  readonly entry: RedriveEntry;
  readonly inFlight: Pick<InFlight, 'get' | 'watch'>;
  readonly pauses: Pick<Pauses, 'isPipelinePaused' | 'onChange'>;
  readonly clock: Clock;
}

/** What another replica was asked for is seen after this long at the latest; so is the room that a discard there makes. */
const LOOK_EVERY_MS = 500;
/** Letters inside the pipeline, or waiting for credits, at a time: a redrive is not to look like traffic. */
const MAX_UNDER_WAY = 16;

/**
 * Takes up letters that are to be sent again, and carries them into the pipeline.
 *
 * ```
 * redriving (table) ─▶ credits that nobody else waits for ─▶ payload is read ─▶ pipeline ─▶ end (the letter's, in the books)
 *        ▲                                                                        └─ left (stop, loss): still redriving
 *        └──────────────────────────── taken up again by the next owner ◀──────────────────┘
 * ```
 * RD1 only while the ledger is open here: the owner of the partitions is the only one who takes letters up, and a letter,
 *     or another one of its record, is taken up by it once at a time.
 * RD2 nothing is written when a letter is taken up, so nothing has to be undone: what is `redriving` and under way nowhere
 *     is taken up again, by this process or by the next.
 * RD3 at most MAX_UNDER_WAY at a time, and a payload is read only when its credits are there.
 * RD4 a letter that was left (the books refuse its end, or it could not be taken in) is not tried again before the ledger
 *     has opened anew.
 * RD5 nothing is taken up while an operator has paused the pipeline, or drains it; a letter that waits for credits then
 *     stays redriving, and is taken up after the pause.
 */
export class Redriver implements PipelineSource {
  readonly keepsRecords = false;
  private readonly logger = new Logger('Redrive');
  /** Record id → letter id. */
  private readonly underWay = new Map<string, string>();
  private readonly left = new Set<string>();
  private owning = new AbortController();
  private state: 'new' | 'running' | 'draining' | 'stopped' = 'new';
  private running: Promise<void> = Promise.resolve();
  private nextCountMs = -Infinity;
  private isWoken = false;
  private wakeUp: () => void = () => undefined;

  constructor(private readonly parts: RedriverParts) {
    parts.inFlight.watch({
      resumed: () => undefined,
      settled: (records) => this.settled(records),
    });
    parts.store.events.on('redrive', () => this.wake());
    parts.ledger.listen({
      opened: () => this.wake(),
      closed: () => this.disown(),
    });
    parts.pauses.onChange(() => this.heed());
  }

  /** Letters that this process carries. */
  get size(): number {
    return this.underWay.size;
  }

  start(): void {
    if (this.state !== 'new') return;
    this.state = 'running';
    this.running = this.run();
  }

  /** Takes nothing up any more; what is inside the pipeline is drained with it. */
  drain(): Promise<void> {
    if (this.state === 'running') this.state = 'draining';
    this.owning.abort(new Error('The pipeline is draining.'));
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.state = 'stopped';
    this.owning.abort(new Error('The pipeline stops.'));
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    while (this.state !== 'stopped') {
      try {
        await this.turn();
      } catch (error) {
        // Safe: the database is away or slow, which others tell of; the next turn asks again.
        this.logger.debug(`Letters could not be looked at: ${String(error)}`);
      }
      await this.pause();
    }
  }

  private async turn(): Promise<void> {
    const { queue, clock } = this.parts;
    if (clock.now() >= this.nextCountMs) {
      this.nextCountMs = clock.now() + LOOK_EVERY_MS;
      await queue.recount();
    }
    const room = MAX_UNDER_WAY - this.underWay.size;
    if (room <= 0 || !this.mayTakeUp) return;
    const known = [...this.underWay.values(), ...this.left];
    for (const letter of await queue.next(known, room)) this.takeUp(letter);
  }

  private get mayTakeUp(): boolean {
    const { ledger, pauses } = this.parts;
    return this.state === 'running' && ledger.isOpen && !pauses.isPipelinePaused;
  }

  private takeUp(letter: QueuedLetter): void {
    // Another letter of the record, or the record itself, may be on its way.
    const isHere = this.underWay.has(letter.recordId) || this.parts.inFlight.get(letter.recordId);
    if (isHere || !this.mayTakeUp) return;
    if (this.owning.signal.aborted) this.owning = new AbortController();
    this.track(() => this.underWay.set(letter.recordId, letter.id));
    void this.carry(letter, this.owning.signal);
  }

  private async carry(letter: QueuedLetter, signal: AbortSignal): Promise<void> {
    const { queue, entry } = this.parts;
    let isInside = false;
    try {
      const admission = await entry.admit(letter.sizeBytes, signal);
      const taken = await queue.take(letter.id).catch((error: unknown) => {
        admission.release();
        throw error;
      });
      if (taken === undefined || signal.aborted) admission.release();
      else isInside = await entry.enter(taken, admission, signal);
    } catch (error) {
      if (!signal.aborted) this.leave(letter.id, error);
    }
    if (!isInside) this.track(() => this.underWay.delete(letter.recordId));
  }

  private leave(id: string, error: unknown): void {
    this.left.add(id);
    this.logger.error(`Dead letter ${id} could not be sent again: ${String(error)}`);
  }

  private settled(records: readonly PipelineRecord[]): void {
    for (const record of records) {
      const letter = letterOf(record);
      if (letter === undefined) continue;
      // RD4
      if (record.terminal === undefined) this.left.add(letter.id);
      this.track(() => this.underWay.delete(record.id));
      this.wake();
    }
  }

  /** The partitions are not ours for certain: who waits for credits lets go; what is inside goes on to its end. */
  private disown(): void {
    this.owning.abort(new Error('The ledger is closed.'));
    this.left.clear();
  }

  /** RD5 */
  private heed(): void {
    if (this.parts.pauses.isPipelinePaused) {
      this.owning.abort(new Error('An operator has paused the pipeline.'));
    } else this.wake();
  }

  private track(change: () => unknown): void {
    change();
    this.parts.store.counts.takenUp(this.underWay.size);
  }

  private wake(): void {
    this.isWoken = true;
    this.wakeUp();
  }

  private async pause(): Promise<void> {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.wakeUp = resolve;
      if (this.isWoken || this.state === 'stopped') resolve();
      else timer = this.parts.clock.setTimer(LOOK_EVERY_MS, resolve);
    });
    timer?.cancel();
    this.isWoken = false;
  }
}
