/** Running totals since the start of the process. */
export interface SourceCounters {
  records: number;
  bytes: number;
  slices: number;
  duplicates: number;
  flushes: number;
  flushFailures: number;
  commits: number;
  commitFailures: number;
  heartbeatFailures: number;
  assignments: number;
  crashes: number;
  handlerErrors: number;
  offsetResets: number;
  lostRecords: number;
  incarnations: number;
  fenced: number;
  pauses: number;
}

export const newCounters = (): SourceCounters => ({
  records: 0,
  bytes: 0,
  slices: 0,
  duplicates: 0,
  flushes: 0,
  flushFailures: 0,
  commits: 0,
  commitFailures: 0,
  heartbeatFailures: 0,
  assignments: 0,
  crashes: 0,
  handlerErrors: 0,
  offsetResets: 0,
  lostRecords: 0,
  incarnations: 0,
  fenced: 0,
  pauses: 0,
});
