import { AsyncLocalStorage } from 'node:async_hooks';
import Decoder from 'kafkajs/src/protocol/decoder.js';
import Encoder from 'kafkajs/src/protocol/encoder.js';
import offsetFetch, {
  type OffsetFetchArguments,
  type OffsetFetchProtocol,
} from 'kafkajs/src/protocol/requests/offsetFetch/index.js';
import type { KafkaLogger } from './kafka-logger.js';
import { patchOnce } from './patch-once.js';

/** The last version that 2.2.4 knows. */
const LAST_VERSION = '4';
/** The first one that tells whether an offset is about to change (KIP-447; Apache Kafka 2.5). */
const STABLE_VERSION = 7;
const API_KEY = 9;
const UNSTABLE_OFFSET_COMMIT = 88;

/** What is answered in place of an offset that a transaction is about to change. */
export const UNSTABLE_OFFSET = '-2';

/** An error of one partition is an error of all, as kafkajs has it. */
const { response: known } = offsetFetch.protocol({ version: Number(LAST_VERSION) })({
  groupId: '',
  topics: [],
});

/** Whether the caller asks for stable offsets travels with the call: kafkajs's own methods take no such option. */
const isStableAsked = new AsyncLocalStorage<boolean>();

interface FetchTarget {
  versions: readonly string[];
  protocol: OffsetFetchProtocol;
}

/**
 * Lets kafkajs ask for a group's offsets as a transactional reader must: an offset whose transaction has been committed,
 * but not yet been entered by the coordinator, would otherwise be answered as it was before. Changes nothing for other
 * callers. See `patchOnce`.
 */
export function patchOffsetFetch(
  logger: Pick<KafkaLogger, 'warn'>,
  target: FetchTarget = offsetFetch,
): boolean {
  return patchOnce(target, logger, {
    name: 'fetches of offsets',
    isKnown: target.versions.at(-1) === LAST_VERSION,
    apply: () => {
      target.versions = [...target.versions, String(STABLE_VERSION)];
      target.protocol = withStableVersion(target.protocol);
    },
  });
}

function withStableVersion(original: OffsetFetchProtocol): OffsetFetchProtocol {
  return ({ version }) => {
    if (version === STABLE_VERSION) return stableFetch;
    if (isStableAsked.getStore() === true) {
      throw new Error('KAFKA_DELIVERY_GUARANTEE=exactly-once needs Apache Kafka 2.5 or newer.');
    }
    return original({ version });
  };
}

/** What `fetch` asks for is answered by stable offsets, and UNSTABLE_OFFSET where there is none at the moment. */
export function withStableOffsets<T>(fetch: () => Promise<T>): Promise<T> {
  return isStableAsked.run(true, fetch);
}

function stableFetch(given: OffsetFetchArguments): ReturnType<ReturnType<OffsetFetchProtocol>> {
  const isStable = isStableAsked.getStore() === true;
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: STABLE_VERSION,
      apiName: 'OffsetFetch',
      encode: () => Promise.resolve(encode(given, isStable)),
    },
    response: { decode, parse: (data) => known.parse(data) },
  };
}

function encode({ groupId, topics }: OffsetFetchArguments, isStable: boolean): Encoder {
  // The tags of the header, which from this version on is of the flexible kind.
  const request = noTags(new Encoder())
    .writeUVarIntString(groupId)
    .writeUVarInt(topics.length + 1);
  for (const { topic, partitions } of topics) {
    request.writeUVarIntString(topic).writeUVarInt(partitions.length + 1);
    for (const { partition } of partitions) request.writeInt32(partition);
    noTags(request);
  }
  return noTags(request.writeBoolean(isStable));
}

const noTags = (encoder: Encoder): Encoder => encoder.writeUVarInt(0);

function decode(raw: Buffer) {
  const decoder = new Decoder(raw);
  decoder.readTaggedFields();
  decoder.readInt32();
  const responses = decoder.readUVarIntArray(decodeTopic) ?? [];
  return Promise.resolve({ responses, errorCode: decoder.readInt16() });
}

function decodeTopic(decoder: Decoder) {
  const topic = decoder.readUVarIntString();
  const partitions = decoder.readUVarIntArray(decodePartition) ?? [];
  decoder.readTaggedFields();
  return { topic, partitions };
}

function decodePartition(decoder: Decoder) {
  const partition = decoder.readInt32();
  const offset = decoder.readInt64().toString();
  decoder.readInt32();
  const metadata = decoder.readUVarIntString();
  const errorCode = decoder.readInt16();
  decoder.readTaggedFields();
  if (errorCode !== UNSTABLE_OFFSET_COMMIT) return { partition, offset, metadata, errorCode };
  return { partition, offset: UNSTABLE_OFFSET, metadata, errorCode: 0 };
}
