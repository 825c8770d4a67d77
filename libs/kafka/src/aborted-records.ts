import fetch from 'kafkajs/src/protocol/requests/fetch/index.js';
import type { KafkaLogger } from './kafka-logger.js';

export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly batchContext?: { readonly producerId: string; readonly inTransaction: boolean };
  isControlRecord?: boolean;
}

export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

export interface FetchedPartition {
  abortedTransactions?: readonly AbortedTransaction[] | null;
  readonly messages: readonly FetchedMessage[];
}

interface FetchResponse {
  readonly responses: readonly { readonly partitions: readonly FetchedPartition[] }[];
}

/** The first version that names aborted transactions, and the last that 2.2.4 knows. */
const [FIRST_VERSION, LAST_VERSION] = [4, 11];
/** Key of the marker that ends an aborted transaction: version 0, type 0. */
const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);
const patched = new WeakSet<object>();

/**
 * Keeps records of aborted transactions from the consumer. kafkajs expects the broker's list in the order of the first
 * offsets, and it comes in the order of the ends; it begins with one transaction per record, and a fetch may begin in the
 * middle of several; and a record whose key is four zero bytes ends a transaction for it. With several producers on a
 * partition it lets aborted records through. Idempotent. Returns false, and warns, when the versions are not those known.
 */
export function patchAbortedRecords(
  logger: Pick<KafkaLogger, 'warn'>,
  target: typeof fetch = fetch,
): boolean {
  if (patched.has(target)) return true;
  if (target.versions.at(-1) !== String(LAST_VERSION)) {
    logger.warn('kafkajs is not the version whose fetches are known; they stay as they are');
    return false;
  }
  const original = target.protocol;
  target.protocol = (options) => {
    const make = original(options);
    if (options.version < FIRST_VERSION) return make;
    return (given) => {
      const { response, ...rest } = make(given);
      const decode = async (raw: Buffer): Promise<unknown> => {
        const decoded = await response.decode(raw);
        for (const { partitions } of (decoded as FetchResponse).responses) {
          partitions.forEach(hideAborted);
        }
        return decoded;
      };
      return { ...rest, response: { ...response, decode } };
    };
  };
  patched.add(target);
  return true;
}

/** Makes records of aborted transactions look like the markers beside them, which no handler sees and every position passes. */
export function hideAborted(partition: FetchedPartition): void {
  const { abortedTransactions, messages } = partition;
  if (!abortedTransactions || abortedTransactions.length === 0) return;
  const coming = abortedTransactions
    .map(({ producerId, firstOffset }) => ({ producerId, first: BigInt(firstOffset) }))
    .toSorted((a, b) => Number(a.first - b.first));
  const aborting = new Set<string>();
  let begun = 0;
  for (const message of messages) {
    const { producerId = '', inTransaction = false } = message.batchContext ?? {};
    const offset = BigInt(message.offset);
    for (; begun < coming.length && coming[begun]!.first <= offset; begun += 1) {
      aborting.add(coming[begun]!.producerId);
    }
    if (message.isControlRecord === true) {
      if (message.key?.equals(ABORT_MARKER) === true) aborting.delete(producerId);
    } else if (inTransaction && aborting.has(producerId)) {
      message.isControlRecord = true;
    }
  }
  // All of it is done: what kafkajs does with the list is what this replaces.
  partition.abortedTransactions = [];
}
