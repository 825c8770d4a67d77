import { clientConfig, consumerConfig } from './kafka-clients.js';
import {
  consumerProblems,
  fetchSizeProblems,
  KafkaOptionsError,
  longestSendMs,
  producerProblems,
  refuse,
  SOURCE_TIMING,
} from './kafka.options.js';
import { KAFKA_PROFILES, PROFILE_TUNING, tuningOf } from './profiles.js';

describe('The profiles', () => {
  it.each(KAFKA_PROFILES)('%s keeps every rule', (profile) => {
    const tuning = tuningOf(profile);
    expect([
      ...consumerProblems(tuning, SOURCE_TIMING),
      ...fetchSizeProblems(tuning, 1),
      ...producerProblems(tuning, 10_000),
    ]).toEqual([]);
  });

  it('have the values of the table', () => {
    const { standard, balanced } = PROFILE_TUNING;
    expect(balanced).toEqual({ ...standard, minBytes: 1, compression: 'none' });
    expect(standard).toMatchObject({ batchBytes: 16_384, lingerMs: 5, bufferBytes: 33_554_432 });
    expect(standard).toMatchObject({ minBytes: 1_048_576, maxWaitTimeMs: 500 });
    expect(PROFILE_TUNING['high-throughput']).toMatchObject({
      batchBytes: 65_536,
      minBytes: 2_097_152,
      maxWaitTimeMs: 1000,
    });
    expect(PROFILE_TUNING['low-latency']).toMatchObject({ batchBytes: 1024, maxWaitTimeMs: 10 });
  });

  it('take overrides, and leave out those that were not given', () => {
    const tuning = tuningOf('standard', { minBytes: 5, lingerMs: undefined });
    expect(tuning).toEqual({ ...PROFILE_TUNING.standard, minBytes: 5 });
    expect(Object.isFrozen(tuning)).toBe(true);
  });
});

describe('The rules of the Kafka settings', () => {
  const tuning = tuningOf('standard');

  it('keep a waiting member well inside its session', () => {
    const timing = { ...SOURCE_TIMING, requestTimeoutMs: 30_000 };
    expect(consumerProblems(tuning, timing)).toEqual([
      'the longest gap between two heartbeats, 34500 ms, must be below half of sessionTimeoutMs (got 30000)',
    ]);
    expect(consumerProblems({ ...tuning, rebalanceTimeoutMs: 1000 }, SOURCE_TIMING)).toHaveLength(
      1,
    );
    expect(
      consumerProblems({ ...tuning, heartbeatIntervalMs: 10_001 }, SOURCE_TIMING),
    ).toHaveLength(2);
  });

  it('refuse a minBytes that no fetch can reach', () => {
    const large = { ...tuning, minBytes: 5_000_000 };
    expect(fetchSizeProblems(large, 3)).toEqual([]);
    expect(fetchSizeProblems(large, 2)).toEqual([
      'minBytes must be at most maxBytesPerPartition × partitions of one broker, 4194304 (got 5000000)',
    ]);
  });

  it('let a send end before its acknowledgment times out, in the numbers of the notes', () => {
    expect(Math.round(longestSendMs(tuning))).toBe(9099);
    expect(producerProblems(tuning, 9000)).toEqual([
      'a send with its retries can take 9100 ms and must end before the acknowledgment timeout (got 9000)',
    ]);
  });

  it('are told all at once', () => {
    expect(() => refuse([])).not.toThrow();
    expect(() => refuse(['one', 'two'])).toThrow(new KafkaOptionsError(['one', 'two']));
  });
});

describe('The clients', () => {
  it('get every retry value, the log level and the profile explicitly (C2, C15, C20)', async () => {
    const config = consumerConfig({ groupId: 'group', tuning: tuningOf('high-throughput') });
    expect(config).toMatchObject({
      groupId: 'group',
      maxWaitTimeInMs: 1000,
      minBytes: 2_097_152,
      maxBytesPerPartition: 2_097_152,
      maxBytes: 10_485_760,
      sessionTimeout: 30_000,
      heartbeatInterval: 3000,
      rebalanceTimeout: 60_000,
      readUncommitted: false,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 5000, retries: 8 },
    });
    expect(await config.retry.restartOnFailure()).toBe(false);
  });

  it('write to the logger by level, and reach the brokers as they were told', () => {
    const logger = { error: jest.fn(), warn: jest.fn(), info: jest.fn(), debug: jest.fn() };
    const sasl = { mechanism: 'plain', username: 'u', password: 'p' } as const;
    const connection = { brokers: ['a:1', 'b:2'], clientId: 'me', ssl: true, sasl };
    const config = clientConfig(connection, 10_000, logger);
    expect(config).toMatchObject({
      brokers: ['a:1', 'b:2'],
      clientId: 'me',
      ssl: true,
      sasl,
      requestTimeout: 10_000,
      logLevel: 2,
      retry: { retries: 3 },
    });
    const write = config.logCreator?.(2);
    const entry = {
      namespace: 'Runner',
      label: '',
      log: { timestamp: '', message: 'm', groupId: 'g' },
    };
    for (const level of [1, 2, 4, 5]) write?.({ ...entry, level });
    for (const method of Object.values(logger)) {
      expect(method).toHaveBeenCalledWith(
        'kafkajs Runner: m',
        expect.objectContaining({ groupId: 'g' }),
      );
    }
  });
});
