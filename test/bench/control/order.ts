import type { Figures } from '../bench.js';

/** What a variant of the control bench is asked for. */
export interface ControlOrder {
  /** Records that travel together. */
  readonly sliceRecords: number;
  readonly durationMs: number;
}

export type ControlResult = Figures & {
  /** CPU of the whole process, garbage collection included, for one record. */
  readonly cpuUs: number;
  readonly wallUs: number;
  readonly records: number;
};
