import { EventEmitter } from 'node:events';
import { statfs } from 'node:fs/promises';
import type { Clock, Timer } from '#libs/flow-control';

/** PostgreSQL stops by itself when its disk is full, and with it the acknowledgments of what was accepted. */
export const MIN_FREE_BYTES = 268_435_456;

const INTERVAL_MS = 5_000;

interface Events {
  /** Free space went below the minimum (true) or came back (false). */
  low: [boolean];
}

export type FreeBytes = (folder: string) => Promise<number>;

/** Looks at the free space of a folder's disk every 5 s, so that intake can stop in time. */
export class DiskWatch extends EventEmitter<Events> {
  private low = false;
  private timer: Timer | undefined;

  constructor(
    private readonly folder: string,
    private readonly clock: Clock,
    private readonly freeBytes: FreeBytes = freeBytesOf,
  ) {
    super();
  }

  get isLow(): boolean {
    return this.low;
  }

  /** Looks once, then every 5 s until `stop`. */
  async start(): Promise<void> {
    const timer = this.clock.setTimer(INTERVAL_MS, () => void this.start());
    this.timer = timer;
    const isLow = await this.look();
    if (this.timer !== timer || isLow === this.low) return;
    this.low = isLow;
    this.emit('low', isLow);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private async look(): Promise<boolean> {
    try {
      return (await this.freeBytes(this.folder)) < MIN_FREE_BYTES;
    } catch {
      // The disk can't be asked, so the last answer stands; a disk that is gone stops PostgreSQL, which is noticed.
      return this.low;
    }
  }
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
