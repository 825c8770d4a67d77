const CONTINUES = 0x80;
const SEVEN_BITS = 0x7f;
/** Bytes of a varint that 32-bit arithmetic holds exactly. */
const SMALL_BYTES = 4;
/** Of 64 bits. */
const MAX_BYTES = 10;

/**
 * Numbers of seven bits a byte with the sign in the lowest bit, as record batches have them. A read behind the end, and
 * a number of more than 64 bits, throw a RangeError.
 */
export class VarintReader {
  constructor(
    readonly bytes: Buffer,
    public at: number,
  ) {}

  /** A number of up to 53 bits exactly; above that the nearest. */
  read(): number {
    const { bytes, at } = this;
    let raw = 0;
    for (let i = 0; i < SMALL_BYTES; i += 1) {
      const byte = bytes[at + i];
      if (byte === undefined) throw cutOff();
      raw |= (byte & SEVEN_BITS) << (7 * i);
      if (byte >= CONTINUES) continue;
      this.at = at + i + 1;
      return (raw >>> 1) ^ -(raw & 1);
    }
    return this.readLong(raw);
  }

  /** Skips so many bytes and returns where they began. Nothing is skipped for −1, which stands for null. */
  skip(length: number): number {
    const from = this.at;
    if (length <= 0) return from;
    if (from + length > this.bytes.length) throw cutOff();
    this.at = from + length;
    return from;
  }

  /** Goes on at `end`, as far as what has been read is in front of it. */
  leave(end: number): void {
    if (this.at > end || end > this.bytes.length) throw cutOff();
    this.at = end;
  }

  private readLong(low: number): number {
    let raw = BigInt(low >>> 0);
    for (let i = SMALL_BYTES; i < MAX_BYTES; i += 1) {
      const byte = this.bytes[this.at + i];
      if (byte === undefined) throw cutOff();
      raw |= BigInt(byte & SEVEN_BITS) << BigInt(7 * i);
      if (byte >= CONTINUES) continue;
      this.at += i + 1;
      return Number(BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n)));
    }
    throw new RangeError('A number of a fetch has more than 64 bits.');
  }
}

function cutOff(): RangeError {
  return new RangeError('A record of a fetch ends in the middle.');
}
