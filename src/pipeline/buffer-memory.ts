import { totalmem } from 'node:os';
import type { PipelineOptions } from '../config/pipeline.options.js';

/** Bytes that this process may use: its container's limit, or the machine's memory. */
export function memoryLimitBytes(): number {
  const machineBytes = totalmem();
  // 0 or more than there is: no limit.
  const constrainedBytes = process.constrainedMemory();
  return constrainedBytes > 0 ? Math.min(constrainedBytes, machineBytes) : machineBytes;
}

/** Bytes that the records in the pipeline may hold, all stages together. */
export function bufferBytes(options: PipelineOptions, limitBytes: number): number {
  const { bufferMemoryFraction, bufferMemoryMinBytes, bufferMemoryMaxBytes } = options;
  const share = Math.floor(bufferMemoryFraction * limitBytes);
  return Math.min(bufferMemoryMaxBytes, Math.max(bufferMemoryMinBytes, share));
}

/** The stages' shares of a budget, by their credits. */
export function shareBytes(budgetBytes: number, credits: readonly number[]): number[] {
  const all = credits.reduce((sum, count) => sum + count, 0);
  return credits.map((count) => Math.max(1, Math.floor((budgetBytes * count) / all)));
}
