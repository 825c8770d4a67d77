import type { Lane } from './lot.js';

/**
 * Keeps one credit back for every active lane that holds none, so that one partition cannot starve another.
 * Knows only lanes that hold credits: at most as many entries as credits are out.
 */
export class LaneFloor {
  /** How many lanes may ask; 0 turns the floor off. */
  activeLanes = 0;
  private readonly heldByLane = new Map<Lane, number>();

  /** How many of `grantable` credits this lane may have now. */
  share(grantable: number, lane: Lane | undefined): number {
    if (lane === undefined || this.activeLanes === 0) return grantable;
    const holds = this.heldByLane.has(lane);
    const others = this.activeLanes - this.heldByLane.size - (holds ? 0 : 1);
    const spare = grantable - Math.max(0, others);
    return holds ? spare : Math.max(Math.min(1, grantable), spare);
  }

  take(lane: Lane | undefined, count: number): void {
    if (lane === undefined) return;
    this.heldByLane.set(lane, (this.heldByLane.get(lane) ?? 0) + count);
  }

  giveBack(lane: Lane | undefined, count: number): void {
    if (lane === undefined) return;
    const left = (this.heldByLane.get(lane) ?? 0) - count;
    if (left > 0) this.heldByLane.set(lane, left);
    else this.heldByLane.delete(lane);
  }
}
