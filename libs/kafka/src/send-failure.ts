import type { SendFailure } from './kafka-sink.js';

/**
 * What an error of a send says: the one table from kafkajs and Kafka's error codes to the kinds of failures.
 *
 * Only an answer of the broker can speak about the records. An error without one (connection, metadata, a defect in the
 * client) is an outage: innocent records must not end in the dead letters because nobody answered.
 */

/** Answers about the batch or a record in it. */
const FINAL: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'POLICY_VIOLATION',
]);

/** Answers that say there is nobody to take the records: no leader, too few replicas, no right to write. */
const OUTAGE: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'INVALID_TOPIC_EXCEPTION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'BROKER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'NETWORK_EXCEPTION',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'LISTENER_NOT_FOUND',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'ILLEGAL_SASL_STATE',
  'UNSUPPORTED_SASL_MECHANISM',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'NOT_COORDINATOR_FOR_GROUP',
  'CONCURRENT_TRANSACTIONS',
]);

const TIMEOUT_ANSWER = 'REQUEST_TIMED_OUT';
/** THROTTLING_QUOTA_EXCEEDED (KIP-599), which kafkajs 2.2.4 knows only as an unknown code. */
const QUOTA_EXCEEDED = /^Unknown error code 89$/;
/** An error wraps its cause at most a few times; a cycle must not hang us. */
const MAX_DEPTH = 10;

interface KafkaError {
  readonly name: string;
  readonly message: string;
  /** Name of Kafka's error code, only when the broker answered. */
  readonly type: string | undefined;
}

export function sendFailureOf(error: unknown): SendFailure {
  const { name, message, type } = innermost(error);
  if (name === 'KafkaJSRequestTimeoutError' || type === TIMEOUT_ANSWER) {
    return { kind: 'retryable', message: sentence(type ?? name, message), isTimeout: true };
  }
  if (type === undefined) return { kind: 'outage', message: sentence(name, message) };
  return { kind: kindOf(type, message), message: sentence(type, message) };
}

/** The topic is not where the client believes it is: it was deleted, or created anew. */
export function isUnknownTopic(error: unknown): boolean {
  return innermost(error).type === 'UNKNOWN_TOPIC_OR_PARTITION';
}

/** The transaction before is not yet over: its markers are being written. */
export function isConcurrentTransaction(error: unknown): boolean {
  return innermost(error).type === 'CONCURRENT_TRANSACTIONS';
}

function kindOf(type: string, message: string): SendFailure['kind'] {
  if (FINAL.has(type)) return 'final';
  if (OUTAGE.has(type)) return 'outage';
  return QUOTA_EXCEEDED.test(message) ? 'busy' : 'retryable';
}

/** "Number of retries exceeded" and "not retriable" only wrap what happened. */
function innermost(error: unknown): KafkaError {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    if (!(current instanceof Error)) break;
    if (typeOf(current) !== undefined || !(current.cause instanceof Error)) break;
    current = current.cause;
  }
  if (!(current instanceof Error)) {
    return { name: 'Error', message: String(current), type: undefined };
  }
  return { name: current.name, message: current.message, type: typeOf(current) };
}

function typeOf(error: Error): string | undefined {
  return 'type' in error && typeof error.type === 'string' ? error.type : undefined;
}

function sentence(what: string, message: string): string {
  return `Kafka: ${message.replace(/[.\s]+$/, '')} (${what}).`;
}
