import type { PipelineOptions } from '../config/pipeline.options.js';
import { bufferBytes, memoryLimitBytes, shareBytes } from './buffer-memory.js';

const MIB = 1_048_576;
const GIB = 1024 * MIB;
const DEFAULTS = {
  bufferMemoryFraction: 0.1,
  bufferMemoryMinBytes: 64 * MIB,
  bufferMemoryMaxBytes: GIB,
} as PipelineOptions;
const CREDITS = [1000, 2000, 1500, 3000, 2500];

describe('the memory of the buffers', () => {
  it.each([
    [512 * MIB, 64 * MIB],
    [2 * GIB, Math.floor(204.8 * MIB)],
    [16 * GIB, GIB],
  ])('of a limit of %i bytes is %i bytes', (limitBytes, budgetBytes) => {
    expect(bufferBytes(DEFAULTS, limitBytes)).toBe(budgetBytes);
  });

  it('is split over the stages by their credits, as in the example of the notes', () => {
    expect(shareBytes(64 * MIB, CREDITS).at(-1)).toBe(16 * MIB);
    expect(shareBytes(Math.floor(204.8 * MIB), CREDITS)[0]).toBe(Math.floor(20.48 * MIB));
  });

  it('is never more than the budget, and never nothing', () => {
    const shares = shareBytes(7, CREDITS);
    expect(
      shareBytes(1_000_003, CREDITS).reduce((sum, bytes) => sum + bytes, 0),
    ).toBeLessThanOrEqual(1_000_003);
    expect(Math.min(...shares)).toBeGreaterThanOrEqual(1);
  });

  it('knows a limit of this process', () => {
    expect(memoryLimitBytes()).toBeGreaterThan(64 * MIB);
  });
});
