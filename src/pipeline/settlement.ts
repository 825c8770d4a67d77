import { type Clock, sleep } from '#libs/flow-control';
import {
  type Acknowledgments,
  type Ending,
  type RefusedEnding,
} from '../ledger/acknowledgments.port.js';
import { letterOf } from '../ledger/redriven.js';
import { EXPIRED } from './expiry.js';
import { releasePipelineCredits } from './give-back.js';
import type { InFlight } from './in-flight.js';
import type { Origin, PipelineRecord } from './record.js';

/** Whether dead letters may be kept, and whether there is room for one more. */
export interface DeadLetterRoom {
  /** EGRESS_ENABLE_DEAD_LETTER_QUEUE; off: what would become a dead letter is discarded, reason `no-dead-letters`. */
  readonly isEnabled: boolean;
  /** Letters that may still be written. */
  readonly free: number;
}

/** Room is made by an operator (discard, redrive), who expects the stages to go on within a second, on any replica. */
const LOOK_FOR_ROOM_EVERY_MS = 250;

/**
 * The end of records: the books first, then everybody who waits for it.
 *
 * S1 nobody hears of an end before the books hold it.
 * S2 `terminal` is set, `origin.settled` called and the pipeline credit given back exactly once for each record.
 * S3 dead letters full: their endings wait here, nothing is dropped; `isBlocked` tells the stages to start no work.
 * Its caller keeps the stage's credit until `finish` has resolved, and gives it back then.
 */
export class Settlement {
  private waitingForRoom = 0;
  private entering = 0;
  private readonly listeners: ((isBlocked: boolean) => void)[] = [];
  private readonly stopping = new AbortController();

  constructor(
    private readonly acknowledgments: Acknowledgments,
    readonly inFlight: InFlight,
    private readonly deadLetters: DeadLetterRoom,
    private readonly clock: Clock,
  ) {}

  /** Whether an ending waits for room among the dead letters. */
  get isBlocked(): boolean {
    return this.waitingForRoom > 0;
  }

  /**
   * Enters the ends and tells. Resolves with what the books refuse; those records have not ended. Rejects when the
   * ledger stops: the records stay in the journal.
   */
  async finish(endings: readonly Ending[]): Promise<readonly RefusedEnding[]> {
    if (endings.length === 0) return [];
    const refused = await this.acknowledgments.finish(endings);
    const ended = refused.length === 0 ? endings : without(endings, refused);
    this.tell(ended);
    return refused;
  }

  /**
   * Enters what single destinations of records have acknowledged; the records go on. Waits and rejects like `finish`, and
   * resolves with what the books refuse.
   */
  enterParts(parts: readonly Ending[]): Promise<readonly RefusedEnding[]> {
    return this.acknowledgments.finish(parts);
  }

  /**
   * The end of a record that can't be delivered: a dead letter, or discarded where there are none, or when its deadline
   * has passed. One that was sent again goes back to its letter, which needs no room. Rejects when the ledger stops or the
   * books refuse it: the record stays in the journal.
   */
  async deadLetter(ending: Omit<Ending, 'terminal'>, reason: string): Promise<void> {
    if (letterOf(ending.record) !== undefined) {
      return this.end({ ...ending, terminal: { status: 'dead-lettered', reason } });
    }
    if (reason === EXPIRED) {
      return this.end({ ...ending, terminal: { status: 'discarded', reason } });
    }
    if (!this.deadLetters.isEnabled) {
      return this.end({
        ...withoutDead(ending),
        terminal: { status: 'discarded', reason: 'no-dead-letters' },
      });
    }
    while (this.isFull) await this.waitForRoom();
    const letters = 1 + deadAmong(ending);
    this.entering += letters;
    try {
      await this.end({ ...ending, terminal: { status: 'dead-lettered', reason } });
    } finally {
      this.entering -= letters;
    }
  }

  /** Tells when `isBlocked` changes. */
  onBlocked(listener: (isBlocked: boolean) => void): void {
    this.listeners.push(listener);
  }

  /** Leaves records to the journal: this process carries them no further, the next start does. */
  leave(records: readonly PipelineRecord[]): void {
    this.inFlight.settle(records);
    releasePipelineCredits(records);
  }

  /** Ends the wait for room; what waited stays in the journal. */
  stop(): void {
    this.stopping.abort(new Error('The pipeline stops.'));
  }

  /** Letters on their way count, so that many at once can't exceed the bound. */
  private get isFull(): boolean {
    return this.deadLetters.free <= this.entering;
  }

  private async end(ending: Ending): Promise<void> {
    const [refused] = await this.finish([ending]);
    if (refused !== undefined) throw refused.error;
  }

  private async waitForRoom(): Promise<void> {
    this.waitingForRoom += 1;
    if (this.waitingForRoom === 1) this.tellBlocked(true);
    try {
      while (this.isFull) {
        await sleep(this.clock, LOOK_FOR_ROOM_EVERY_MS, this.stopping.signal);
      }
    } finally {
      this.waitingForRoom -= 1;
      if (this.waitingForRoom === 0) this.tellBlocked(false);
    }
  }

  private tellBlocked(isBlocked: boolean): void {
    for (const listener of this.listeners) listener(isBlocked);
  }

  /** For ends that the books hold already, such as those that a sink has entered together with its rows. */
  tell(endings: readonly Ending[]): void {
    const byOrigin = new Map<Origin, PipelineRecord[]>();
    const records: PipelineRecord[] = [];
    for (const { record, terminal } of endings) {
      record.terminal = terminal;
      records.push(record);
      const brought = byOrigin.get(record.origin);
      if (brought === undefined) byOrigin.set(record.origin, [record]);
      else brought.push(record);
    }
    this.inFlight.settle(records);
    for (const [origin, brought] of byOrigin) origin.settled(brought);
    releasePipelineCredits(records);
  }
}

const isDead = ({ terminal }: Ending): boolean => terminal.status === 'dead-lettered';

function deadAmong({ others }: Omit<Ending, 'terminal'>): number {
  return others === undefined ? 0 : others.filter(isDead).length;
}

function withoutDead(ending: Omit<Ending, 'terminal'>): Omit<Ending, 'terminal'> {
  const { others } = ending;
  return others === undefined
    ? ending
    : { ...ending, others: others.filter((each) => !isDead(each)) };
}

function without(endings: readonly Ending[], refused: readonly RefusedEnding[]): readonly Ending[] {
  const out = new Set(refused.map(({ ending }) => ending));
  return endings.filter((ending) => !out.has(ending));
}
