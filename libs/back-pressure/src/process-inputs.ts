import { type ProcessPressure, rounded, scale } from './pressure.js';
import type { ProcessProbe } from './process-probe.js';

export interface ProcessReading extends ProcessPressure {
  /** Without resident memory: what may delay callers. */
  readonly throttling: number;
  /** Resident memory alone. */
  readonly residentMemory: number;
}

/** Below the first number an input is 0, from the second on 1. The raw ratios would read "high" at rest. */
const HEAP_RATIO = [0.7, 0.95] as const;
const RESIDENT_RATIO = [0.85, 0.98] as const;
const LOOP_DELAY_MS = [50, 500] as const;

/**
 * The inputs that no stage owns: memory and network (event loop, database pool, producer queues).
 *
 * Resident memory does not fall after a peak. It is shown, and it refuses bulk, but it never delays callers: else one
 * peak would throttle for ever (L7).
 */
export class ProcessInputs {
  private readonly readers = {
    memory: new Map<string, () => number>(),
    network: new Map<string, () => number>(),
  };

  constructor(private readonly probe: ProcessProbe) {}

  /** Adds an input by name, 0..1 and already scaled; the same name replaces it. */
  add(dimension: 'memory' | 'network', name: string, read: () => number): void {
    this.readers[dimension].set(name, read);
  }

  start(): void {
    this.probe.start();
  }

  stop(): void {
    this.probe.stop();
  }

  /** `bytesRatio`: bytes in flight / the byte budget of the pipeline. */
  read(bytesRatio: number): ProcessReading {
    const heap = scale(this.probe.heapRatio(), ...HEAP_RATIO);
    const residentMemory = rounded(scale(this.probe.rssRatio(), ...RESIDENT_RATIO));
    const loop = scale(this.probe.loopDelayP99Ms(), ...LOOP_DELAY_MS);
    const network = rounded(largest(loop, this.readers.network));
    const ownMemory = rounded(
      largest(Math.max(heap, Math.min(1, bytesRatio)), this.readers.memory),
    );
    return {
      memory: Math.max(ownMemory, residentMemory),
      network,
      throttling: Math.max(ownMemory, network),
      residentMemory,
    };
  }
}

function largest(least: number, readers: ReadonlyMap<string, () => number>): number {
  let value = least;
  for (const read of readers.values()) value = Math.max(value, Math.min(1, read()));
  return value;
}
