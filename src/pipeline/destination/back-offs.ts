import type { Clock, Timer } from '#libs/flow-control';
import { takeDue } from '../expiry.js';

interface Group<T> {
  readonly items: T[];
  readonly onOver: (items: readonly T[]) => void;
}

/**
 * What waits out a delay before it is tried again, in groups that return together and in order.
 * Bounded by the stage's credits: every item holds one.
 */
export class BackOffs<T> {
  private readonly groups = new Map<Timer, Group<T>>();

  constructor(private readonly clock: Clock) {}

  /** Groups that wait. */
  get size(): number {
    return this.groups.size;
  }

  /** `onOver` is given the items that are left of the group. */
  begin(items: readonly T[], delayMs: number, onOver: (items: readonly T[]) => void): void {
    const timer = this.clock.setTimer(delayMs, () => this.over(timer));
    this.groups.set(timer, { items: [...items], onOver });
  }

  /** Takes out what is in `due`; the others of its group go on waiting. A group of which none is left is over. */
  takeDue(due: ReadonlySet<T>): T[] {
    const taken: T[] = [];
    for (const [timer, { items }] of this.groups) {
      taken.push(...takeDue(items, due));
      if (items.length === 0) this.over(timer);
    }
    return taken;
  }

  /** Ends the waits; nobody is told. */
  stop(): void {
    for (const timer of this.groups.keys()) timer.cancel();
    this.groups.clear();
  }

  private over(timer: Timer): void {
    const group = this.groups.get(timer);
    timer.cancel();
    this.groups.delete(timer);
    group?.onOver(group.items);
  }
}
