import { setImmediate as nextTick } from 'node:timers/promises';
import type { ControlOrder, ControlResult } from './order.js';

/** Slices that come in one turn of the event loop, and whether each waits for the one before. */
const LARGE_SLICES_A_TICK = 2;
/** As many single records as the REST bench has connections. */
const SINGLES_A_TICK = 64;

export interface Driven {
  /** Sends one slice; resolves with its verdicts. */
  send(count: number): Promise<void>;
  /** Records that have left. */
  readonly left: number;
}

/**
 * Sends slices for a time and measures what one record costs. Between two ticks the event loop turns, as it would for
 * I/O, so that timers run and everything sent can leave.
 */
export async function drive(driven: Driven, order: ControlOrder): Promise<ControlResult> {
  const { sliceRecords, durationMs } = order;
  globalThis.gc?.();
  const before = driven.left;
  let sent = 0;
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  while (performance.now() - startMs < durationMs) {
    sent += await tick(driven, sliceRecords);
    await nextTick();
  }
  while (driven.left - before < sent) await nextTick();
  const wallMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: (user + system) / sent, wallUs: (wallMs * 1000) / sent, records: sent };
}

async function tick(driven: Driven, sliceRecords: number): Promise<number> {
  if (sliceRecords > 1) {
    for (let i = 0; i < LARGE_SLICES_A_TICK; i += 1) await driven.send(sliceRecords);
    return LARGE_SLICES_A_TICK * sliceRecords;
  }
  const sending: Promise<void>[] = [];
  for (let i = 0; i < SINGLES_A_TICK; i += 1) sending.push(driven.send(1));
  await Promise.all(sending);
  return SINGLES_A_TICK;
}
