/** The days of the partitions of `acknowledgment`: pure arithmetic, all in UTC. */

const DAY_MS = 86_400_000;

/** One day's partition: its table and the range of record ids it holds, `from` included, `to` excluded. */
export interface AcknowledgmentDay {
  readonly table: string;
  readonly from: string;
  readonly to: string;
}

/** The smallest UUID whose first 12 hex digits, the time of a UUIDv7, are `epochMs`. */
export function uuidLowerBound(epochMs: number): string {
  const hex = epochMs.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** The days from `daysBack` before to `daysAhead` after the day of `nowMs`, in order. */
export function acknowledgmentDays(
  nowMs: number,
  daysBack: number,
  daysAhead: number,
): readonly AcknowledgmentDay[] {
  const todayMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  return Array.from({ length: daysBack + 1 + daysAhead }, (_, index) => {
    const startMs = todayMs + (index - daysBack) * DAY_MS;
    const day = new Date(startMs).toISOString().slice(0, 10).replaceAll('-', '');
    return {
      table: `acknowledgment_${day}`,
      from: uuidLowerBound(startMs),
      to: uuidLowerBound(startMs + DAY_MS),
    };
  });
}
