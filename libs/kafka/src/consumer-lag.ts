import type { AssignedPartition } from './assigned-partition.js';
import type { PartitionLag } from './kafka-source.js';

/** One every 5 s: five minutes of history. */
const MAX_POINTS = 60;
const MS_PER_SECOND = 1000;

interface EndPoint {
  readonly atMs: number;
  readonly end: bigint;
}

export interface LagSeconds {
  readonly seconds: number;
  /** The history is too short: the real lag may be longer. */
  readonly isAtLeast: boolean;
}

const NO_LAG: LagSeconds = { seconds: 0, isAtLeast: false };

/** When the end of one partition was where: tells how long ago an offset was the newest one. Bounded at 60 points. */
export class EndOffsetHistory {
  private readonly points: EndPoint[] = [];

  add(atMs: number, end: bigint): void {
    if (this.points.at(-1)?.end === end) return;
    this.points.push({ atMs, end });
    if (this.points.length > MAX_POINTS) this.points.shift();
  }

  /** Time since the end of the partition passed `low`, interpolated between two points. */
  lag(low: bigint, end: bigint, nowMs: number): LagSeconds {
    const [oldest] = this.points;
    if (low >= end || !oldest) return NO_LAG;
    if (low < oldest.end)
      return { seconds: (nowMs - oldest.atMs) / MS_PER_SECOND, isAtLeast: true };
    const after = this.points.findIndex((point) => point.end > low);
    const right = this.points[after];
    const left = this.points[after - 1];
    // The end moved past `low` since the last point.
    if (!right || !left) {
      const last = this.points.at(-1) ?? oldest;
      return { seconds: (nowMs - last.atMs) / MS_PER_SECOND, isAtLeast: false };
    }
    const share = Number(low - left.end) / Number(right.end - left.end);
    const passedAtMs = left.atMs + share * (right.atMs - left.atMs);
    return { seconds: (nowMs - passedAtMs) / MS_PER_SECOND, isAtLeast: false };
  }
}

/** The lag of a partition; undefined until its books are read. Times in epoch ms. */
export function lagOf(
  partition: AssignedPartition,
  history: EndOffsetHistory | undefined,
  nowMs: number,
): PartitionLag | undefined {
  const { mark, topic, partition: id } = partition;
  if (!mark) return undefined;
  const { low, lowTimestampMs } = mark;
  const end = partition.end ?? low;
  const records = end > low ? Number(end - low) : 0;
  const committed = partition.committed ?? low;
  const committedRecords = end > committed ? Number(end - committed) : 0;
  // Exact up to the producers' clocks, while the record at `low` is with us.
  const seconds =
    lowTimestampMs === undefined
      ? (history?.lag(low, end, nowMs) ?? NO_LAG)
      : { seconds: Math.max(0, (nowMs - lowTimestampMs) / MS_PER_SECOND), isAtLeast: false };
  return { topic, partition: id, records, committedRecords, ...seconds };
}
