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

/** Key of the marker that ends an aborted transaction: version 0, type 0. */
const ABORT_MARKER = Buffer.from([0, 0, 0, 0]);

/**
 * Makes records of aborted transactions look like the markers beside them, which no handler sees and every position passes.
 *
 * kafkajs does it in place of this, and wrongly: it expects the broker's list in the order of the first offsets, and it
 * comes in the order of the ends; it begins with one transaction per record, and a fetch may begin in the middle of several;
 * and a record whose key is four zero bytes ends a transaction for it.
 */
export function hideAborted(
  messages: readonly FetchedMessage[],
  aborted: readonly AbortedTransaction[],
): void {
  if (aborted.length === 0) return;
  const coming = aborted
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
}
