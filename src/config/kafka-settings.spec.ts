import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KAFKA_PROFILES, PROFILE_TUNING } from '#libs/kafka';
import { SystemClock } from '#libs/flow-control';
import { definePipeline } from '../pipeline/definition.js';
import { kafkaSink } from '../pipeline/sink-definition.js';
import { checkDefinition } from './definition-rules.js';
import { environmentName } from './environment-name.js';
import {
  kafkaConnectionOf,
  kafkajsSinkOptionsOf,
  kafkaSourceOptionsOf,
  kafkaTuningOf,
  outputSpecOf,
} from './kafka-settings.js';
import { ConfigurationError, type Environment, loadOptions } from './load-options.js';

const KAFKA = { KAFKA_BROKERS: 'one:9092, two:9093' };

const load = (environment: Environment) =>
  loadOptions({ environment: { ...KAFKA, ...environment }, folder: '/nowhere' }).options;

function mistakes(environment: Environment, run = loadOptions): readonly string[] {
  try {
    run({ environment, folder: '/nowhere' });
  } catch (error) {
    if (error instanceof ConfigurationError) return error.mistakes;
    throw error;
  }
  return [];
}

const runtime = {
  clock: new SystemClock(),
  random: Math.random,
  logger: { error: jest.fn(), warn: jest.fn(), info: jest.fn(), debug: jest.fn() },
};

describe('kafkaTuningOf', () => {
  it.each(KAFKA_PROFILES)('takes all values of the profile %s', (profile) => {
    expect(kafkaTuningOf(load({ KAFKA_PROFILE: profile }).kafka)).toEqual(PROFILE_TUNING[profile]);
  });

  it('takes every value but acks that is set instead of the profile’s', () => {
    const numbers = Object.entries(PROFILE_TUNING.balanced).filter(
      ([name, value]) => typeof value === 'number' && name !== 'acks',
    );
    for (const [name, value] of numbers) {
      const given = { [environmentName('KAFKA', name)]: String(Number(value) + 1) };
      const tuning = kafkaTuningOf(load(given).kafka);
      expect(tuning).toEqual({ ...PROFILE_TUNING.balanced, [name]: Number(value) + 1 });
    }
    expect(kafkaTuningOf(load({ KAFKA_COMPRESSION: 'gzip' }).kafka).compression).toBe('gzip');
  });
});

describe('kafkaConnectionOf', () => {
  it('is the brokers and the client’s name', () => {
    expect(kafkaConnectionOf(load({}).kafka)).toEqual({
      brokers: ['one:9092', 'two:9093'],
      clientId: 'penstock',
    });
    expect(kafkaConnectionOf(load({ KAFKA_CLIENT_ID: 'me' }).kafka).clientId).toBe('me');
  });

  it('logs in with all three of KAFKA_SASL_', () => {
    const { kafka } = load({
      KAFKA_SASL_MECHANISM: 'scram-sha-256',
      KAFKA_SASL_USERNAME: 'me',
      KAFKA_SASL_PASSWORD: 'word',
    });
    expect(kafkaConnectionOf(kafka).sasl).toEqual({
      mechanism: 'scram-sha-256',
      username: 'me',
      password: 'word',
    });
  });

  it('reads the files of KAFKA_SSL_, and verifies the broker with verify-full only', () => {
    const folder = mkdtempSync(join(tmpdir(), 'penstock-kafka-'));
    const file = (name: string): string => {
      writeFileSync(join(folder, name), name);
      return join(folder, name);
    };
    const { kafka } = load({
      KAFKA_SSL: 'verify-full',
      KAFKA_SSL_CA: file('ca'),
      KAFKA_SSL_CERT: file('cert'),
      KAFKA_SSL_KEY: file('key'),
    });
    const expected = { rejectUnauthorized: true, ca: 'ca', cert: 'cert', key: 'key' };
    expect(kafkaConnectionOf(kafka).ssl).toEqual(expected);
    rmSync(folder, { recursive: true });
    expect(kafkaConnectionOf(load({ KAFKA_SSL: 'require' }).kafka).ssl).toEqual({
      rejectUnauthorized: false,
    });
  });
});

describe('the options of source and sink', () => {
  it('are the settings of the source', () => {
    const options = load({
      KAFKA_INPUT_TOPICS: 'orders,returns',
      KAFKA_GROUP_ID: 'group',
      KAFKA_START: 'latest',
      KAFKA_MAX_RECORDS_PER_SECOND: '500',
      KAFKA_CREATE_TOPICS: 'off',
      KAFKA_INPUT_PARTITIONS: '16',
      KAFKA_INPUT_RETENTION_MS: '-1',
      PIPELINE_BUFFER_SIZE: '5000',
    });
    expect(kafkaSourceOptionsOf(options, runtime)).toEqual({
      ...runtime,
      connection: { brokers: ['one:9092', 'two:9093'], clientId: 'penstock' },
      groupId: 'group',
      topics: ['orders', 'returns'],
      start: 'latest',
      tuning: PROFILE_TUNING.balanced,
      maxRecordsPerSecond: 500,
      pipelineRecords: 5000,
      topicSpecs: ['orders', 'returns'].map((name) => ({
        name,
        role: 'input',
        partitions: 16,
        retentionMs: -1,
      })),
      createTopics: false,
    });
  });

  it('are the settings of the sink; its bounds are FinalSink’s', () => {
    const options = load({
      FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS: '200',
      FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS: '9000',
    });
    expect(kafkajsSinkOptionsOf(options, 'out')).toMatchObject({
      topic: 'out',
      tuning: PROFILE_TUNING.balanced,
      maxRecords: 200,
      ackTimeoutMs: 9_000,
    });
  });

  it('name of a topic only the settings that are given', () => {
    expect(outputSpecOf(load({}).kafka, 'out')).toEqual({ name: 'out', role: 'output' });
    const { kafka } = load({
      KAFKA_OUTPUT_PARTITIONS: '6',
      KAFKA_OUTPUT_REPLICATION_FACTOR: '2',
      KAFKA_OUTPUT_RETENTION_MS: '1000',
      KAFKA_OUTPUT_MIN_INSYNC_REPLICAS: '1',
      KAFKA_OUTPUT_CLEANUP_POLICY: 'compact',
    });
    expect(outputSpecOf(kafka, 'out')).toEqual({
      name: 'out',
      role: 'output',
      partitions: 6,
      replicationFactor: 2,
      retentionMs: 1000,
      minInsyncReplicas: 1,
      cleanupPolicy: 'compact',
    });
  });
});

describe('the rules over several Kafka settings', () => {
  it.each<[Environment, readonly string[]]>([
    [
      { KAFKA_INPUT_TOPICS: 'a,b' },
      ['KAFKA_BROKERS must be set when KAFKA_INPUT_TOPICS is (got "a,b" and no brokers).'],
    ],
    [
      { SINKS: 'kafka' },
      [
        'KAFKA_BROKERS must be set for SINKS=kafka.',
        'KAFKA_OUTPUT_TOPIC must be set for SINKS=kafka.',
      ],
    ],
    [
      { ...KAFKA, KAFKA_SASL_USERNAME: 'me' },
      [
        'KAFKA_SASL_MECHANISM and KAFKA_SASL_PASSWORD must be set together with KAFKA_SASL_USERNAME.',
      ],
    ],
    [
      { ...KAFKA, KAFKA_SSL: 'require', KAFKA_SSL_KEY: 'k' },
      ['KAFKA_SSL_CERT must be set together with KAFKA_SSL_KEY.'],
    ],
    [
      { ...KAFKA, KAFKA_SSL_CA: 'ca.pem' },
      ['KAFKA_SSL must be require or verify-full when KAFKA_SSL_CA is set (got "off").'],
    ],
    [
      { ...KAFKA, KAFKA_INPUT_TOPICS: 'a', KAFKA_HEARTBEAT_INTERVAL_MS: '20000' },
      [
        'KAFKA_HEARTBEAT_INTERVAL_MS must be at most a third of KAFKA_SESSION_TIMEOUT_MS (got 20000 of 30000).',
        'the longest gap between two heartbeats, 31500 ms, must be below half of KAFKA_SESSION_TIMEOUT_MS (got 30000).',
      ],
    ],
    [
      {
        ...KAFKA,
        KAFKA_INPUT_TOPICS: 'a',
        KAFKA_INPUT_PARTITIONS: '1',
        KAFKA_MIN_BYTES: '3000000',
      },
      [
        'KAFKA_MIN_BYTES must be at most KAFKA_MAX_BYTES_PER_PARTITION × partitions of one broker, 2097152 (got 3000000).',
      ],
    ],
    [
      { ...KAFKA, SINKS: 'kafka', KAFKA_OUTPUT_TOPIC: 'out', KAFKA_RETRIES: '4' },
      [
        'KAFKA_RETRIES and KAFKA_PRODUCER_REQUEST_TIMEOUT_MS: a send with its retries can take 12759 ms and must end before FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS (got 10000).',
      ],
    ],
  ])('refuse %j', (environment, sentences) => {
    expect(mistakes(environment)).toEqual(sentences);
  });

  it('say nothing about a part of Kafka that is not used', () => {
    expect(mistakes({ FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS: '1000' })).toEqual([]);
    expect(mistakes({ ...KAFKA, KAFKA_HEARTBEAT_INTERVAL_MS: '20000' })).toEqual([]);
  });

  it.each([
    [{ KAFKA_BROKERS: 'one' }, 'KAFKA_BROKERS must be a comma list of host:port (got "one").'],
    [
      { KAFKA_BROKERS: 'a:1,,b:2' },
      'KAFKA_BROKERS must be a comma list of host:port (got "a:1,,b:2").',
    ],
  ])('refuse %j', (environment, sentence) => {
    expect(mistakes(environment)).toEqual([sentence]);
  });

  it('ask for what kafkaSink() of a definition needs, unless SINKS says another sink', () => {
    const check = (environment: Environment, topic?: string) =>
      mistakes(environment, (given) => {
        const loaded = loadOptions(given);
        const sink = kafkaSink(topic === undefined ? {} : { topic });
        checkDefinition(loaded.options, definePipeline({ name: 'p', sinks: [sink] }));
        return loaded;
      });
    expect(check({})).toEqual([
      'KAFKA_BROKERS must be set for kafkaSink() of the pipeline p.',
      'KAFKA_OUTPUT_TOPIC must be set for kafkaSink() of the pipeline p.',
    ]);
    expect(check(KAFKA, 'out')).toEqual([]);
    expect(check({ ...KAFKA, KAFKA_OUTPUT_TOPIC: 'out' })).toEqual([]);
    expect(check({ SINKS: 'postgres' })).toEqual([]);
  });
});
