/** Layout of a record batch, format 2 (kafka.apache.org/documentation/#recordbatch). */

export const BATCH_FORMAT = 2;

/** Where its fields begin. `length` counts the bytes from `leaderEpoch` on, `crc` covers those from `attributes` on. */
export const BATCH_AT = {
  firstOffset: 0,
  length: 8,
  leaderEpoch: 12,
  format: 16,
  crc: 17,
  attributes: 21,
  firstTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  count: 57,
  records: 61,
} as const;

/** Bits of the attributes; the lowest three are the codec. */
export const BATCH_FLAGS = { logAppendTime: 0x8, inTransaction: 0x10, isControl: 0x20 } as const;
