import type { Clock } from '#libs/flow-control';
import type { AssignedPartition } from './assigned-partition.js';
import type { SourceCounters } from './source-counters.js';
import type { KafkaSourceEvents } from './source-events.js';

/** The client's own pause, for one partition. */
export interface Pausable {
  pause(topics: { topic: string; partitions: number[] }[]): void;
  resume(topics: { topic: string; partitions: number[] }[]): void;
}

const ALL_LANES = -1;

/**
 * Why which lane does not run. The client forgets its pauses with every restart, so the set is ours: a lane runs only
 * when it has no reason, and all reasons are applied again after every join.
 */
export class PauseSet {
  /** Reason → since when, by lane; `ALL_LANES` holds for every lane. */
  private readonly lanes = new Map<number, Map<string, number>>();

  constructor(
    private readonly clock: Clock,
    private readonly events: KafkaSourceEvents,
    private readonly counters: SourceCounters,
  ) {}

  /** True when it was not there before. */
  add(reason: string, lane = ALL_LANES): boolean {
    let reasons = this.lanes.get(lane);
    if (!reasons) this.lanes.set(lane, (reasons = new Map()));
    if (reasons.has(reason)) return false;
    reasons.set(reason, this.clock.now());
    this.counters.pauses += 1;
    return true;
  }

  remove(reason: string, lane = ALL_LANES): boolean {
    const reasons = this.lanes.get(lane);
    if (!reasons?.delete(reason)) return false;
    if (reasons.size === 0) this.lanes.delete(lane);
    return true;
  }

  has(reason: string, lane: number): boolean {
    return this.lanes.get(lane)?.has(reason) ?? false;
  }

  isPaused(lane: number): boolean {
    return this.lanes.has(lane) || this.lanes.has(ALL_LANES);
  }

  reasons(lane: number): string[] {
    return [...new Set([lane, ALL_LANES].flatMap((at) => [...(this.lanes.get(at)?.keys() ?? [])]))];
  }

  /** Age of the lane's oldest reason. */
  pausedMs(lane: number): number {
    const since = [lane, ALL_LANES].flatMap((at) => [...(this.lanes.get(at)?.values() ?? [])]);
    return since.length === 0 ? 0 : this.clock.now() - Math.min(...since);
  }

  /** Forgets what was said of single lanes that are not ours any more. */
  retain(lanes: ReadonlySet<number>): void {
    for (const lane of this.lanes.keys()) {
      if (lane !== ALL_LANES && !lanes.has(lane)) this.lanes.delete(lane);
    }
  }

  pause(client: Pausable | undefined, partition: AssignedPartition, reason: string): void {
    if (!this.add(reason, partition.lane)) return;
    this.apply(client, [partition]);
    this.events.emit('paused', { topic: partition.topic, partition: partition.partition, reason });
  }

  resume(client: Pausable | undefined, partition: AssignedPartition, reason: string): void {
    if (!this.remove(reason, partition.lane)) return;
    this.apply(client, [partition]);
    this.events.emit('resumed', { topic: partition.topic, partition: partition.partition, reason });
  }

  /** Makes the client pause and fetch as the set says. */
  apply(client: Pausable | undefined, partitions: Iterable<AssignedPartition>): void {
    if (!client) return;
    for (const { topic, partition, lane } of partitions) {
      const target = [{ topic, partitions: [partition] }];
      if (this.isPaused(lane)) client.pause(target);
      else client.resume(target);
    }
  }
}
