import Encoder from 'kafkajs/src/protocol/encoder.js';
import produce from 'kafkajs/src/protocol/requests/produce/index.js';
import recordBatch from 'kafkajs/src/protocol/recordBatch/v0/index.js';
import type { KafkaLogger } from './kafka-logger.js';
import { encodeRecord, type EncodableMessage } from './record-encoding.js';

export interface ProduceArguments {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string | null;
  readonly producerId?: unknown;
  readonly producerEpoch?: number;
  readonly compression?: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly PartitionData[];
  }[];
}

interface PartitionData {
  readonly partition: number;
  readonly firstSequence?: number;
  readonly messages: readonly EncodableMessage[];
}

interface ProduceRequest {
  encode(): Promise<Encoder>;
}
type MakeRequest = (given: ProduceArguments) => { request: ProduceRequest; response: unknown };
type Protocol = (options: { version: number }) => MakeRequest;

/** The first version with record batches, and the last that 2.2.4 knows; all carry the same body. */
const [FIRST_VERSION, LAST_VERSION] = [3, 7];
const patched = new WeakSet<object>();

/**
 * Lets kafkajs encode records with one allocation each: its own code makes a zeroed buffer of 512 bytes for the record and
 * one more for each header (6.4 µs for a record with our two headers, 1.1 patched). Same bytes. Idempotent. Returns false,
 * and warns, when the versions are not those known.
 */
export function patchProduceEncoding(
  logger: Pick<KafkaLogger, 'warn'>,
  target: { readonly versions: readonly string[]; protocol: Protocol } = produce,
): boolean {
  if (patched.has(target)) return true;
  if (target.versions.at(-1) !== String(LAST_VERSION)) {
    logger.warn('kafkajs is not the version whose encoding of records is known; it stays as it is');
    return false;
  }
  const original = target.protocol;
  target.protocol = (options) => {
    const make = original(options);
    if (options.version < FIRST_VERSION) return make;
    return (given) => {
      const { request, response } = make(given);
      return { request: { ...request, encode: () => encodeRequest(given) }, response };
    };
  };
  patched.add(target);
  return true;
}

async function encodeRequest(given: ProduceArguments): Promise<Encoder> {
  const { acks, timeout, transactionalId = null, topicData } = given;
  const topics: Encoder[] = [];
  for (const { topic, partitions } of topicData) {
    const sets: Encoder[] = [];
    for (const each of partitions) sets.push(await encodePartition(each, given));
    topics.push(new Encoder().writeString(topic).writeArray(sets));
  }
  return new Encoder()
    .writeString(transactionalId)
    .writeInt16(acks)
    .writeInt32(timeout)
    .writeArray(topics);
}

async function encodePartition(
  { partition, messages, firstSequence }: PartitionData,
  { transactionalId, producerId, producerEpoch, compression }: ProduceArguments,
): Promise<Encoder> {
  const now = Date.now();
  const times = messages.flatMap(({ timestamp }) => timestamp ?? []).toSorted();
  const firstTimestamp = times[0] ?? now;
  const records = messages.map((message, index) =>
    encodeRecord(message, index, Number(message.timestamp ?? now) - Number(firstTimestamp)),
  );
  const batch = await recordBatch.RecordBatch({
    ...(compression === undefined ? {} : { compression }),
    ...(producerId === undefined ? {} : { producerId }),
    ...(producerEpoch === undefined ? {} : { producerEpoch }),
    ...(firstSequence === undefined ? {} : { firstSequence }),
    records,
    firstTimestamp,
    maxTimestamp: times.at(-1) ?? now,
    transactional: Boolean(transactionalId),
    lastOffsetDelta: records.length - 1,
  });
  return new Encoder().writeInt32(partition).writeInt32(batch.size()).writeEncoder(batch);
}
