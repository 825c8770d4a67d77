/**
 * A `send()` resolved, but its answer is not about the partition it was for: kafkajs can resolve without having sent
 * (P5), and does when its metadata no longer holds the partition. Nothing is known to be written; send again.
 */
export class PartitionNotAnsweredError extends Error {
  override readonly name = 'PartitionNotAnsweredError';
  readonly code = 'KAFKA_PARTITION_NOT_ANSWERED';
  readonly retryable = true;

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {
    super(`the answer to a send does not name partition ${partition} of the topic ${topic}`);
  }
}
