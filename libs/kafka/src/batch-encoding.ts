import Encoder from 'kafkajs/src/protocol/encoder.js';
import compression from 'kafkajs/src/protocol/message/compression/index.js';
import { crc32c } from './crc32c.js';
import { BATCH_AT, BATCH_FLAGS, BATCH_FORMAT } from './record-batch.js';
import { type EncodableMessage, encodeRecords } from './record-encoding.js';

export interface BatchOptions {
  /** Code of the codec; 0 for none. */
  readonly compression?: number | undefined;
  readonly isTransactional: boolean;
  /** Of an idempotent producer, as kafkajs has it. */
  readonly producerId?: unknown;
  readonly producerEpoch?: number | undefined;
  readonly firstSequence?: number | undefined;
}

const NO_PRODUCER = -1;

/** A record batch in one buffer. `nowMs` is the time of records that have none of their own. */
export async function encodeBatch(
  messages: readonly EncodableMessage[],
  options: BatchOptions,
  nowMs: number,
): Promise<Buffer> {
  const times = messages.flatMap(({ timestamp }) => timestamp ?? []).toSorted();
  const [first, last] = [times[0] ?? nowMs, times.at(-1) ?? nowMs];
  const deltas = messages.map(({ timestamp = nowMs }) => Number(timestamp) - Number(first));
  const {
    compression: codecType = 0,
    isTransactional,
    producerId = NO_PRODUCER,
    producerEpoch = 0,
    firstSequence = 0,
  } = options;
  const batch = await packed(messages, deltas, codecType);
  const flags = isTransactional ? BATCH_FLAGS.inTransaction : 0;
  const fields = new Encoder(BATCH_AT.records)
    .writeInt16(codecType | flags)
    .writeInt32(messages.length - 1)
    .writeInt64(first)
    .writeInt64(last)
    .writeInt64(producerId)
    .writeInt16(producerEpoch)
    .writeInt32(firstSequence)
    .writeInt32(messages.length);
  batch.fill(0, 0, BATCH_AT.attributes);
  batch.set(fields.buffer, BATCH_AT.attributes);
  batch.writeInt32BE(batch.length - BATCH_AT.leaderEpoch, BATCH_AT.length);
  batch[BATCH_AT.format] = BATCH_FORMAT;
  batch.writeUInt32BE(crc32c(batch, BATCH_AT.attributes), BATCH_AT.crc);
  return batch;
}

/** The records behind the place for the fields of the batch. */
async function packed(
  messages: readonly EncodableMessage[],
  deltas: readonly number[],
  codecType: number,
): Promise<Buffer> {
  const codec = compression.lookupCodecByAttributes(codecType);
  if (codec === null) return encodeRecords(messages, deltas, BATCH_AT.records);
  const buffer = await codec.compress({ buffer: encodeRecords(messages, deltas, 0) });
  return Buffer.concat([Buffer.alloc(BATCH_AT.records), buffer]);
}
