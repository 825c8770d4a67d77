import type { Clock, Timer } from '#libs/flow-control';
import type { AssignedPartition } from './assigned-partition.js';
import { EndOffsetHistory, lagOf } from './consumer-lag.js';
import type { PartitionLag } from './kafka-source.js';

const POLL_EVERY_MS = 5000;

export interface LagMonitorOptions {
  readonly clock: Clock;
  readonly assigned: () => Iterable<AssignedPartition>;
  /** The ends of a topic's partitions; undefined while there is no connection. */
  readonly ends: (topic: string) => Promise<ReadonlyMap<number, bigint>> | undefined;
  readonly onTrouble: (error: unknown) => void;
}

/** Asks for the ends of all partitions every 5 s, also of those that are silent or paused. */
export class LagMonitor {
  /** Of the assigned partitions only. */
  private readonly histories = new Map<AssignedPartition, EndOffsetHistory>();
  private timer: Timer | undefined;

  constructor(private readonly options: LagMonitorOptions) {
    this.schedule();
  }

  lag(): PartitionLag[] {
    const nowMs = this.options.clock.wallNow();
    return [...this.options.assigned()].flatMap(
      (partition) => lagOf(partition, this.histories.get(partition), nowMs) ?? [],
    );
  }

  stop(): void {
    this.timer?.cancel();
  }

  private schedule(): void {
    this.timer = this.options.clock.setTimer(POLL_EVERY_MS, () => {
      this.poll()
        .catch(this.options.onTrouble)
        .finally(() => this.schedule());
    });
  }

  private async poll(): Promise<void> {
    const assigned = new Set(this.options.assigned());
    for (const gone of this.histories.keys()) if (!assigned.has(gone)) this.histories.delete(gone);
    for (const topic of new Set([...assigned].map((partition) => partition.topic))) {
      const ends = await this.options.ends(topic);
      if (!ends) return;
      const nowMs = this.options.clock.wallNow();
      for (const partition of assigned) {
        const end = partition.topic === topic ? ends.get(partition.partition) : undefined;
        if (end !== undefined) this.note(partition, nowMs, end);
      }
    }
  }

  private note(partition: AssignedPartition, nowMs: number, end: bigint): void {
    partition.end = end;
    let history = this.histories.get(partition);
    if (!history) this.histories.set(partition, (history = new EndOffsetHistory()));
    history.add(nowMs, end);
  }
}
