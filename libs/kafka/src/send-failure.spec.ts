import {
  KafkaJSConnectionError,
  KafkaJSNonRetriableError,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
} from 'kafkajs';
import { isUnknownTopic, sendFailureOf } from './send-failure.js';

const { createErrorFromCode } = jest.requireActual<{
  createErrorFromCode: (code: number) => KafkaJSProtocolError;
}>('kafkajs/src/protocol/error');

const exceeded = (cause: Error): Error =>
  new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: 3, retryTime: 100 });

describe('sendFailureOf', () => {
  it.each([
    ['MESSAGE_TOO_LARGE', 10],
    ['RECORD_LIST_TOO_LARGE', 18],
    ['INVALID_TIMESTAMP', 32],
    ['INVALID_RECORD', 87],
  ])('takes %s as final: an answer about the records', (type, code) => {
    expect(sendFailureOf(createErrorFromCode(code))).toEqual({
      kind: 'final',
      message: expect.stringContaining(type),
    });
  });

  it.each([
    ['UNKNOWN_TOPIC_OR_PARTITION', 3],
    ['LEADER_NOT_AVAILABLE', 5],
    ['NOT_LEADER_FOR_PARTITION', 6],
    ['NOT_ENOUGH_REPLICAS', 19],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 20],
    ['TOPIC_AUTHORIZATION_FAILED', 29],
    ['CLUSTER_AUTHORIZATION_FAILED', 31],
    ['SASL_AUTHENTICATION_FAILED', 58],
  ])('takes %s as an outage: nobody is there to take the records', (_, code) => {
    expect(sendFailureOf(createErrorFromCode(code)).kind).toBe('outage');
  });

  it('takes a quota that is used up as busy', () => {
    expect(sendFailureOf(createErrorFromCode(89)).kind).toBe('busy');
  });

  it.each([
    ['UNKNOWN', -1],
    ['CORRUPT_MESSAGE', 2],
    ['a code that kafkajs does not know', 1234],
  ])('takes every other answer as retryable: %s', (_, code) => {
    const failure = sendFailureOf(createErrorFromCode(code));
    expect(failure.kind).toBe('retryable');
    expect(failure.isTimeout).toBeUndefined();
  });

  it('marks a request without an answer in time, and replicas without one, as a timeout', () => {
    const noAnswer = new KafkaJSRequestTimeoutError('Request Produce timed out');
    const noReplicas = createErrorFromCode(7);
    for (const error of [noAnswer, exceeded(noAnswer), noReplicas]) {
      expect(sendFailureOf(error)).toMatchObject({ kind: 'retryable', isTimeout: true });
    }
  });

  it('takes everything without an answer of the broker as an outage', () => {
    const errors = [
      new KafkaJSConnectionError('Connection error: ECONNREFUSED'),
      exceeded(new KafkaJSConnectionError('Connection timeout')),
      new TypeError("Cannot read properties of undefined (reading 'connectionPool')"),
      new Error('the producer was stopped'),
      'no error at all',
    ];
    expect(errors.map((error) => sendFailureOf(error).kind)).toEqual(errors.map(() => 'outage'));
  });

  it('looks through the wrappers of kafkajs to what happened', () => {
    const wrapped = new KafkaJSNonRetriableError(exceeded(createErrorFromCode(6)));
    const withCause = Object.assign(wrapped, { cause: exceeded(createErrorFromCode(6)) });
    expect(sendFailureOf(exceeded(createErrorFromCode(10))).kind).toBe('final');
    expect(sendFailureOf(withCause).message).toBe(
      'Kafka: This server is not the leader for that topic-partition (NOT_LEADER_FOR_PARTITION).',
    );
  });

  it('ends with an error that is its own cause', () => {
    const loop = new Error('again');
    loop.cause = loop;
    expect(sendFailureOf(loop).kind).toBe('outage');
  });

  it('recognises a topic that is not there, also behind used-up retries', () => {
    expect(isUnknownTopic(exceeded(createErrorFromCode(3)))).toBe(true);
    expect(isUnknownTopic(createErrorFromCode(6))).toBe(false);
  });
});
