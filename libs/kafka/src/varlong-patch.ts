import Decoder from 'kafkajs/src/protocol/decoder.js';
import Long from 'kafkajs/src/utils/long.js';
import type { KafkaLogger } from './kafka-logger.js';

/** The method of 2.2.4 that the patch was written for, without white space. */
const KNOWN_SOURCE =
  'readVarLong(){letcurrentByteletresult=Long.fromInt(0)leti=0do{if(i>63){' +
  "thrownewKafkaJSInvalidLongError('InvalidLong,mustcontain9bytesorless')}" +
  'currentByte=this.buffer[this.offset++]result=result.add(Long.fromInt(currentByte&OTHER_BITS).shiftLeft(i))' +
  'i+=7}while(currentByte>=MOST_SIGNIFICANT_BIT)returnDecoder.decodeZigZag64(result)}';

const CONTINUES = 0x80;
const SEVEN_BITS = 0x7f;
/** 28 bits stay exact in the 32-bit arithmetic below: a difference of times up to 37 hours. */
const MAX_SMALL_BYTES = 4;

interface Reader {
  readonly buffer: Buffer;
  offset: number;
}
type Read = (this: Reader) => Long;

const patched = new WeakSet<object>();

/**
 * Lets kafkajs read the time of a record without a chain of 64-bit objects: its own code makes nine for a difference of
 * three bytes. Longer ones are read as before. Idempotent. Returns false, and warns, when the method is not the one known.
 */
export function patchVarLong(
  logger: Pick<KafkaLogger, 'warn'>,
  prototype: object = Decoder.prototype,
): boolean {
  if (patched.has(prototype)) return true;
  const target = prototype as { readVarLong: Read };
  const original = target.readVarLong;
  if (original.toString().replaceAll(/\s/g, '') !== KNOWN_SOURCE) {
    logger.warn('kafkajs is not the version whose reading of long numbers is known; it stays');
    return false;
  }
  target.readVarLong = function readSmallVarLong(): Long {
    const { buffer, offset } = this;
    let raw = 0;
    for (let i = 0; i < MAX_SMALL_BYTES; i += 1) {
      const byte = buffer[offset + i]!;
      raw |= (byte & SEVEN_BITS) << (7 * i);
      if (byte >= CONTINUES) continue;
      this.offset = offset + i + 1;
      return Long.fromInt((raw >>> 1) ^ -(raw & 1));
    }
    return original.call(this);
  };
  patched.add(prototype);
  return true;
}
