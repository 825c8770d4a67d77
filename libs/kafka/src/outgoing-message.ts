import type { Message, RecordMetadata } from 'kafkajs';
import { PartitionNotAnsweredError } from './errors/partition-not-answered.error.js';
import type { Outgoing } from './kafka-sink.js';

/** The record's id, which is also the key by which consumers recognise a repeated record. */
export const RECORD_ID_HEADER = 'penstock-record-id';
/** 1 for the first send of a record; above that it may have been written before. */
export const ATTEMPT_HEADER = 'penstock-attempt';

/** A record as kafkajs takes it. The partition is always ours: kafkajs loses records when it chooses (P4). */
export function messageOf(record: Outgoing, partition: number, failedSends: number): Message {
  const { key, value, headers, recordId, attempt } = record;
  return {
    key,
    value,
    partition,
    headers: {
      ...headers,
      [RECORD_ID_HEADER]: recordId,
      [ATTEMPT_HEADER]: String(attempt + failedSends),
    },
  };
}

/**
 * Offset of the first record of a send, from the one answer that names its partition. Throws a
 * PartitionNotAnsweredError when there is another answer, or none: `send()` also resolves when nothing was sent (P5).
 */
export function baseOffsetOf(
  answers: readonly RecordMetadata[],
  topic: string,
  partition: number,
): bigint {
  const [answer] = answers;
  const isOurs =
    answers.length === 1 &&
    answer?.topicName === topic &&
    answer.partition === partition &&
    answer.errorCode === 0;
  if (!isOurs || answer.baseOffset === undefined) {
    throw new PartitionNotAnsweredError(topic, partition);
  }
  return BigInt(answer.baseOffset);
}
