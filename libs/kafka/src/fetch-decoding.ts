import Decoder from 'kafkajs/src/protocol/decoder.js';
import decodeMessageSet from 'kafkajs/src/protocol/messageSet/decoder.js';
import fetch from 'kafkajs/src/protocol/requests/fetch/index.js';
import { type AbortedTransaction, hideAborted } from './aborted-records.js';
import type { KafkaLogger } from './kafka-logger.js';
import { patchOnce } from './patch-once.js';
import { areRecordBatches, decodeRecordBatches } from './record-decoding.js';

/** The first version with record batches, and the last that 2.2.4 knows. */
const [FIRST_VERSION, LAST_VERSION] = [4, 11];
/** Since when a response has these fields. */
const LOG_START_OFFSET = 5;
const SESSION = 7;
/** From here on the client keeps the pause that the broker asks for, and the broker makes none. */
const CLIENT_THROTTLES = 8;
const PREFERRED_REPLICA = 11;

/**
 * Reads what kafkajs fetches. Its own code makes a reader and up to six objects for every record (a third of what a plain
 * consumer allocates), and with several transactional producers on a partition it lets records of aborted transactions
 * through. See `patchOnce`.
 */
export function patchFetchDecoding(
  logger: Pick<KafkaLogger, 'warn'>,
  target: typeof fetch = fetch,
): boolean {
  return patchOnce(target, logger, {
    name: 'fetches',
    isKnown: target.versions.at(-1) === String(LAST_VERSION),
    apply: () => {
      target.protocol = withOwnDecoding(target.protocol);
    },
  });
}

function withOwnDecoding(original: typeof fetch.protocol): typeof fetch.protocol {
  return (options) => {
    const make = original(options);
    const { version } = options;
    if (version < FIRST_VERSION) return make;
    const decode = (raw: Buffer) => decodeResponse(new Decoder(raw), version);
    return (given) => {
      const { response, ...rest } = make(given);
      return { ...rest, response: { ...response, decode } };
    };
  };
}

async function decodeResponse(decoder: Decoder, version: number) {
  const throttleTimeMs = decoder.readInt32();
  const session = version >= SESSION && {
    errorCode: decoder.readInt16(),
    sessionId: decoder.readInt32(),
  };
  const responses = await decoder.readArrayAsync((each) => decodeTopic(each, version));
  const throttled =
    version >= CLIENT_THROTTLES
      ? { throttleTime: 0, clientSideThrottleTime: throttleTimeMs }
      : { throttleTime: throttleTimeMs };
  return { ...throttled, ...session, responses };
}

async function decodeTopic(decoder: Decoder, version: number) {
  const topicName = decoder.readString();
  const partitions = await decoder.readArrayAsync((each) => decodePartition(each, version));
  return { topicName, partitions };
}

async function decodePartition(decoder: Decoder, version: number) {
  const partition = decoder.readInt32();
  const errorCode = decoder.readInt16();
  const highWatermark = decoder.readInt64().toString();
  const lastStableOffset = decoder.readInt64().toString();
  if (version >= LOG_START_OFFSET) decoder.readInt64();
  const aborted = decoder.readArray(decodeAborted);
  const replica = version >= PREFERRED_REPLICA && { preferredReadReplica: decoder.readInt32() };
  const messages = await decodeMessages(decoder);
  hideAborted(messages, aborted);
  // What kafkajs would do with the list of aborted transactions is done.
  return {
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    abortedTransactions: [],
    ...replica,
    messages,
  };
}

function decodeAborted(decoder: Decoder): AbortedTransaction {
  return {
    producerId: decoder.readInt64().toString(),
    firstOffset: decoder.readInt64().toString(),
  };
}

async function decodeMessages(decoder: Decoder) {
  const length = decoder.readInt32();
  if (length <= 0 || !decoder.canReadBytes(length)) return [];
  const bytes = decoder.readBytes(length);
  if (areRecordBatches(bytes)) return decodeRecordBatches(bytes);
  return decodeMessageSet(new Decoder(bytes), length);
}
