import Encoder from 'kafkajs/src/protocol/encoder.js';
import produce from 'kafkajs/src/protocol/requests/produce/index.js';
import { encodeBatch } from './batch-encoding.js';
import type { KafkaLogger } from './kafka-logger.js';
import { patchOnce } from './patch-once.js';
import type { EncodableMessage } from './record-encoding.js';

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
/** Of a request beside its batches, about. */
const HEAD_BYTES = 512;

/**
 * Lets kafkajs encode a batch of records with one allocation: its own code makes a zeroed buffer of 512 bytes for each
 * record and one more for each header, copies them four times, and takes the checksum byte by byte. Same bytes. See `patchOnce`.
 */
export function patchProduceEncoding(
  logger: Pick<KafkaLogger, 'warn'>,
  target: { readonly versions: readonly string[]; protocol: Protocol } = produce,
): boolean {
  return patchOnce(target, logger, {
    name: 'produce requests',
    isKnown: target.versions.at(-1) === String(LAST_VERSION),
    apply: () => {
      target.protocol = withOwnEncoding(target.protocol);
    },
  });
}

function withOwnEncoding(original: Protocol): Protocol {
  return (options) => {
    const make = original(options);
    if (options.version < FIRST_VERSION) return make;
    return (given) => {
      const { request, response } = make(given);
      return { request: { ...request, encode: () => encodeRequest(given) }, response };
    };
  };
}

async function encodeRequest(given: ProduceArguments): Promise<Encoder> {
  const { acks, timeout, transactionalId = null, topicData } = given;
  const batches = await Promise.all(
    topicData.flatMap(({ partitions }) => partitions.map((each) => encodePartition(each, given))),
  );
  const request = new Encoder(batches.reduce((sum, { length }) => sum + length, HEAD_BYTES))
    .writeString(transactionalId)
    .writeInt16(acks)
    .writeInt32(timeout)
    .writeInt32(topicData.length);
  let next = 0;
  for (const { topic, partitions } of topicData) {
    request.writeString(topic).writeInt32(partitions.length);
    for (const { partition } of partitions) {
      request.writeInt32(partition).writeBytes(batches[next]!);
      next += 1;
    }
  }
  return request;
}

function encodePartition(
  { messages, firstSequence }: PartitionData,
  { transactionalId, producerId, producerEpoch, compression }: ProduceArguments,
): Promise<Buffer> {
  const isTransactional = Boolean(transactionalId);
  const options = { compression, isTransactional, producerId, producerEpoch, firstSequence };
  return encodeBatch(messages, options, Date.now());
}
