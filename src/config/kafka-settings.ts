/** From the KAFKA_ settings to what libs/kafka takes, and the rules over several of them. */
import { readFileSync } from 'node:fs';
import {
  type ConnectionSettings,
  consumerProblems,
  fetchSizeProblems,
  type KafkajsSinkOptions,
  type KafkaSourceOptions,
  type KafkaTuning,
  missingCodec,
  producerProblems,
  PROFILE_TUNING,
  SOURCE_TIMING,
  type TopicSpec,
  tuningOf,
} from '#libs/kafka';
import type { AppOptions } from './app-options.js';
import { environmentName } from './environment-name.js';
import type { KafkaOptions } from './kafka.options.js';

/** A field in a sentence of the adapter. */
const CAMEL_CASE = /\b[a-z]+[A-Z][A-Za-z]*/g;
/** What decides how long a send can take. */
const SEND_VARIABLES = 'KAFKA_RETRIES and KAFKA_PRODUCER_REQUEST_TIMEOUT_MS';

/** What the source needs that is no setting. */
export type SourceRuntime = Pick<
  KafkaSourceOptions,
  'clock' | 'random' | 'logger' | 'transactions'
>;

/** The settings of the sink; the rest of its options is its owner's. */
export type SinkSettings = Pick<
  KafkajsSinkOptions,
  'connection' | 'topic' | 'tuning' | 'maxRecords' | 'ackTimeoutMs'
>;

/** The profile's values with those that were set on their own. */
export function kafkaTuningOf(kafka: KafkaOptions): KafkaTuning {
  const names = Object.keys(PROFILE_TUNING[kafka.profile]) as (keyof KafkaTuning)[];
  const given = names.flatMap((name) => {
    const value = name === 'acks' ? undefined : kafka[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return tuningOf(kafka.profile, Object.fromEntries(given) as Partial<KafkaTuning>);
}

/** How to reach the brokers. Reads the files of KAFKA_SSL_*, and throws the error of one that is missing. */
export function kafkaConnectionOf(kafka: KafkaOptions): ConnectionSettings {
  const { brokers, clientId, saslMechanism: mechanism } = kafka;
  const { saslUsername: username, saslPassword: password } = kafka;
  if (brokers === undefined) throw new TypeError('KAFKA_BROKERS must be set.');
  const hasSasl = mechanism !== undefined && username !== undefined && password !== undefined;
  return {
    brokers,
    clientId,
    ...(kafka.ssl === 'off' ? {} : { ssl: sslOf(kafka) }),
    ...(hasSasl ? { sasl: { mechanism, username, password } } : {}),
  };
}

export function kafkaSourceOptionsOf(
  options: Pick<AppOptions, 'kafka' | 'pipeline'>,
  runtime: SourceRuntime,
): KafkaSourceOptions {
  const { kafka, pipeline } = options;
  const { inputTopics: topics } = kafka;
  if (topics === undefined) throw new TypeError('KAFKA_INPUT_TOPICS must be set.');
  return {
    connection: kafkaConnectionOf(kafka),
    groupId: kafka.groupId,
    topics,
    start: kafka.start,
    tuning: kafkaTuningOf(kafka),
    maxRecordsPerSecond: kafka.maxRecordsPerSecond,
    pipelineRecords: pipeline.pipelineBufferSize,
    topicSpecs: topics.map((name) => inputSpecOf(kafka, name)),
    createTopics: kafka.createTopics,
    ...runtime,
  };
}

export function kafkajsSinkOptionsOf(
  options: Pick<AppOptions, 'kafka' | 'finalSink'>,
  topic: string,
): SinkSettings {
  const { kafka, finalSink } = options;
  return {
    connection: kafkaConnectionOf(kafka),
    topic,
    tuning: kafkaTuningOf(kafka),
    maxRecords: finalSink.maxPendingAcknowledgments,
    ackTimeoutMs: finalSink.acknowledgmentTimeoutMs,
  };
}

/** What is checked, and used when the topic is made. */
export function outputSpecOf(kafka: KafkaOptions, name: string): TopicSpec {
  return {
    name,
    role: 'output',
    ...given({
      partitions: kafka.outputPartitions,
      replicationFactor: kafka.outputReplicationFactor,
      retentionMs: kafka.outputRetentionMs,
      minInsyncReplicas: kafka.outputMinInsyncReplicas,
      cleanupPolicy: kafka.outputCleanupPolicy,
    }),
  };
}

/** The rules of the source that the settings break, as sentences with the variables' names. */
export function brokenSourceRules({ kafka }: Pick<AppOptions, 'kafka'>): string[] {
  const tuning = kafkaTuningOf(kafka);
  const { inputPartitions, inputTopics } = kafka;
  if (inputTopics === undefined) return [];
  const problems = consumerProblems(tuning, SOURCE_TIMING);
  // Of a number of partitions that is not set the source learns when it has a connection.
  if (inputPartitions !== undefined) {
    problems.push(...fetchSizeProblems(tuning, inputPartitions * inputTopics.length));
  }
  return problems.map((problem) => withVariables(problem, Object.keys(tuning)));
}

/** What a Kafka sink needs and the settings lack; `topic` is its own, if it has one. */
export function brokenSinkRules(
  { kafka, finalSink }: Pick<AppOptions, 'kafka' | 'finalSink'>,
  sink: { readonly topic?: string | undefined; readonly from: string },
): string[] {
  const tuning = kafkaTuningOf(kafka);
  const problems = producerProblems(tuning, finalSink.acknowledgmentTimeoutMs);
  const missing = missingCodec(tuning.compression);
  const isSet = { KAFKA_BROKERS: kafka.brokers, KAFKA_OUTPUT_TOPIC: sink.topic };
  return [
    ...Object.entries(isSet).flatMap(([name, value]) =>
      value === undefined ? `${name} must be set for ${sink.from}.` : [],
    ),
    ...(missing === undefined ? [] : [`KAFKA_COMPRESSION: ${missing}.`]),
    ...problems.map(
      (problem) => `${SEND_VARIABLES}: ${withVariables(problem, Object.keys(tuning))}`,
    ),
  ];
}

function inputSpecOf(kafka: KafkaOptions, name: string): TopicSpec {
  return {
    name,
    role: 'input',
    ...given({
      partitions: kafka.inputPartitions,
      replicationFactor: kafka.inputReplicationFactor,
      retentionMs: kafka.inputRetentionMs,
      minInsyncReplicas: kafka.inputMinInsyncReplicas,
      cleanupPolicy: kafka.inputCleanupPolicy,
    }),
  };
}

type Given<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function given<T extends object>(settings: T): Given<T> {
  const pairs = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(pairs) as Given<T>;
}

function sslOf({ ssl, sslCa, sslCert, sslKey }: KafkaOptions): ConnectionSettings['ssl'] {
  const read = (path: string): string => readFileSync(path, 'utf8');
  return {
    rejectUnauthorized: ssl === 'verify-full',
    ...(sslCa === undefined ? {} : { ca: read(sslCa) }),
    ...(sslCert === undefined ? {} : { cert: read(sslCert) }),
    ...(sslKey === undefined ? {} : { key: read(sslKey) }),
  };
}

/** The adapter names its fields; an operator knows variables. */
function withVariables(problem: string, fields: readonly string[]): string {
  const sentence = problem
    .replace(CAMEL_CASE, (word) => (fields.includes(word) ? environmentName('KAFKA', word) : word))
    .replace('the acknowledgment timeout', 'FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS');
  return `${sentence}.`;
}
