import { randomFillSync } from 'node:crypto';
import type { Clock } from '#libs/flow-control';

/** Fills a buffer with random bytes. */
export type RandomBytes = (target: Uint8Array) => void;

/** Random bytes are drawn in blocks: a call of the system's generator costs more than an id. */
const POOL_BYTES = 4096;
/** 62 random bits of the id, and the counter's start. */
const RANDOM_BYTES_PER_ID = 10;
/** The 12 bits behind the version count within a millisecond. */
const COUNTER_LIMIT = 0x1000;
/** A new millisecond starts in the lower half, so that at least 2,048 ids fit before the time is borrowed from. */
const COUNTER_START_MASK = 0x7ff;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/**
 * Record ids: UUIDv7 (RFC 9562), text form, about 1 µs each.
 *
 * U1 ids of one generator ascend, within a millisecond and when the wall clock steps back.
 * U2 the time in an id is the wall clock's, or runs ahead of it by what U1 needs.
 */
export class UuidV7 {
  private readonly pool = Buffer.alloc(POOL_BYTES);
  private poolAt = POOL_BYTES;
  private lastMs = 0;
  private counter = 0;

  constructor(
    private readonly clock: Pick<Clock, 'wallNow'>,
    private readonly randomBytes: RandomBytes = (target) => void randomFillSync(target),
  ) {}

  next(): string {
    if (this.poolAt + RANDOM_BYTES_PER_ID > POOL_BYTES) {
      this.randomBytes(this.pool);
      this.poolAt = 0;
    }
    const { pool, poolAt: at } = this;
    this.poolAt += RANDOM_BYTES_PER_ID;
    const nowMs = this.clock.wallNow();
    if (nowMs > this.lastMs) {
      this.startMillisecond(nowMs, at);
    } else {
      this.counter += 1;
      if (this.counter === COUNTER_LIMIT) this.startMillisecond(this.lastMs + 1, at);
    }
    return this.format(pool, at);
  }

  private startMillisecond(ms: number, at: number): void {
    this.lastMs = ms;
    this.counter = this.pool.readUInt16BE(at + 8) & COUNTER_START_MASK;
  }

  private format(pool: Buffer, at: number): string {
    const high = Math.floor(this.lastMs / 0x1_0000);
    const low = this.lastMs & 0xffff;
    const { counter } = this;
    return (
      HEX[(high >>> 24) & 0xff]! +
      HEX[(high >>> 16) & 0xff]! +
      HEX[(high >>> 8) & 0xff]! +
      HEX[high & 0xff]! +
      '-' +
      HEX[low >>> 8]! +
      HEX[low & 0xff]! +
      '-' +
      HEX[0x70 | (counter >>> 8)]! +
      HEX[counter & 0xff]! +
      '-' +
      HEX[0x80 | (pool[at]! & 0x3f)]! +
      HEX[pool[at + 1]!]! +
      '-' +
      HEX[pool[at + 2]!]! +
      HEX[pool[at + 3]!]! +
      HEX[pool[at + 4]!]! +
      HEX[pool[at + 5]!]! +
      HEX[pool[at + 6]!]! +
      HEX[pool[at + 7]!]!
    );
  }
}

const PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether the text has the form of a UUID, of any version. */
export function isUuid(text: string): boolean {
  return PATTERN.test(text);
}
