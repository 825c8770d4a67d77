import type { Message } from 'kafkajs';

type Group = (result: object, message: Message) => object;

/**
 * The messages of one send, all of one partition, as kafkajs groups them by partition without a copy.
 *
 * kafkajs 2.2.4 groups with a `reduce` that copies its list for every message: 250 messages are 31 000 copied pointers, a
 * fifth of all memory that a topic-to-topic run allocates. Here the first message is grouped by kafkajs itself, which
 * chooses the partition and lets the partitioner see the metadata, and the others join it. Anything that does not reduce
 * finds an ordinary array.
 */
export class OnePartitionMessages extends Array<Message> {
  /** What is made of it (`map`, `filter`) is an ordinary array. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }

  /** A copy of the list. */
  static take(messages: readonly Message[]): OnePartitionMessages {
    const own = new OnePartitionMessages(messages.length);
    for (let i = 0; i < messages.length; i += 1) own[i] = messages[i]!;
    return own;
  }

  override reduce(group: unknown, initial?: unknown): never {
    const [first] = this;
    if (first === undefined) return initial as never;
    const [partition] = Object.keys((group as Group)(initial as object, first));
    return { [partition!]: this } as never;
  }
}
