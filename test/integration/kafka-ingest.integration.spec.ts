import type { AnyPipelineDefinition } from '../../src/pipeline/definition.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { testBrokers, TestKafka, type TestMessage, uniqueName } from '../support/kafka.js';
import { freePort } from '../support/free-port.mjs';
import { Gate } from '../support/stage-harness.js';
import { until } from '../support/until.js';

interface Answer {
  readonly status: string;
  readonly details: { readonly kafka: Record<string, unknown> };
}

describe('The application with KAFKA_INPUT_TOPICS', () => {
  let kafka: TestKafka;
  let service: TestApplication | undefined;

  beforeAll(async () => {
    kafka = await TestKafka.connect();
  });
  afterAll(() => kafka.close());
  afterEach(async () => {
    await service?.close();
    service = undefined;
  });

  const start = async (
    topic: string,
    definition?: AnyPipelineDefinition,
    more: Record<string, string> = {},
  ): Promise<TestApplication> => {
    service = await startApplication(
      {
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_GROUP_ID: uniqueName('group'),
        KAFKA_INPUT_TOPICS: topic,
        KAFKA_PROFILE: 'low-latency',
        ...more,
      },
      definition,
    );
    return service;
  };
  const get = async <T>(url: string): Promise<{ code: number; body: T }> => {
    const answer = await service!.app.inject(url);
    return { code: answer.statusCode, body: answer.json() };
  };
  const healthOf = async (path: string): Promise<Answer['details']['kafka']> =>
    (await get<Answer>(path)).body.details.kafka;
  const produced = async (message: Omit<TestMessage, 'partition'>): Promise<string> => {
    const topic = await kafka.createTopic(1);
    await kafka.produce(topic, [{ ...message, partition: 0 }]);
    return topic;
  };
  const endOf = (id: string): Promise<Record<string, unknown>> =>
    until(
      async () => {
        const { body } = await get<Record<string, unknown>>(`/v1/records/${id}`);
        const { status } = body;
        return status === 'accepted' || status === 404 ? undefined : body;
      },
      { what: `the end of ${id}` },
    );

  it('starts without a broker, is ready, and says in its health that it waits', async () => {
    const brokers = `127.0.0.1:${await freePort()}`;
    await start(uniqueName('topic'), undefined, { KAFKA_BROKERS: brokers });
    expect((await get('/health/ready')).code).toBe(200);
    await until(async () => (await healthOf('/health'))['state'] === 'waiting', {
      deadlineMs: 30_000,
      what: 'the source to wait',
    });
    expect(await healthOf('/health')).toMatchObject({ status: 'degraded', partitions: 0 });
  });

  it('is not ready while the topic is not as configured, and says what differs', async () => {
    const topic = await kafka.createTopic(1);
    await start(topic, undefined, { KAFKA_INPUT_PARTITIONS: '2' });
    await until(async () => (await get('/health/ready')).code === 503, {
      deadlineMs: 30_000,
      what: 'the readiness to fail',
    });
    expect(await healthOf('/health/ready')).toMatchObject({
      status: 'down',
      state: 'failed',
      message: expect.stringContaining(`${topic}: partitions is 1, expected 2`),
    });
  });

  it('shows its partitions and their lag in health, metrics and admin', async () => {
    const topic = await kafka.createTopic(2);
    await kafka.fill(topic, 2, 5);
    await start(topic, { name: 'pass', preprocess: (_, { discard }) => discard('seen') });
    // Values such as `0-1` are no JSON: they end in the dead letters.
    await endOf(`${topic}:1:4`);
    await until(async () => (await healthOf('/health'))['lagRecords'] === 0);
    expect(await healthOf('/health')).toMatchObject({
      status: 'up',
      state: 'running',
      partitions: 2,
      pausedPartitions: 0,
      lagSeconds: 0,
    });
    const sources = await get<{ partitions: object[] }[]>('/v1/admin/sources');
    expect(sources.body).toMatchObject([
      { name: 'rest', paused: false },
      {
        name: 'kafka',
        state: 'running',
        detail: null,
        partitions: [0, 1].map((partition) => ({
          topic,
          partition,
          low: '5',
          next: '5',
          inFlight: 0,
          lagRecords: 0,
          pausedFor: [],
        })),
      },
    ]);
    const metrics = (await service!.app.inject('/metrics')).body;
    expect(metrics).toContain('pipeline_records_consumed_total 10');
    expect(metrics).toContain(`pipeline_kafka_lag_records{topic="${topic}",partition="1"} 0`);
    expect(metrics).toContain('pipeline_kafka_paused_partitions 0');
    expect(metrics).toContain(
      'pipeline_records_ended_total{outcome="dead-lettered",source="kafka"} 10',
    );
  });

  it('does not fetch while an operator has paused it, also from its start on, and goes on after the resume', async () => {
    const topic = await kafka.createTopic(1);
    await start(topic, { name: 'pass', preprocess: (_, { discard }) => discard('seen') });
    const ask = async (path: string): Promise<number> =>
      (await service!.app.inject({ method: 'POST', url: `/v1/admin/${path}` })).statusCode;
    expect(await ask('sources/kafka/pause')).toBe(200);
    await kafka.produce(topic, [{ partition: 0, value: '{"n":0}' }]);
    const [, source] = (await get<{ paused: boolean; partitions: object[] }[]>('/v1/admin/sources'))
      .body;
    expect(source).toMatchObject({ name: 'kafka', paused: true });
    await until(
      async () => {
        const { body } =
          await get<{ partitions?: { pausedFor: string[]; lagRecords: number }[] }[]>(
            '/v1/admin/sources',
          );
        const [partition] = body[1]?.partitions ?? [];
        return partition?.pausedFor.includes('operator') && partition.lagRecords === 1;
      },
      { deadlineMs: 60_000, what: 'the lag of the paused partition is seen' },
    );
    expect((await get(`/v1/records/${topic}:0:0`)).code).toBe(404);
    expect((await get('/health/ready')).code).toBe(200);
    expect(await ask('sources/kafka/resume')).toBe(200);
    expect(await endOf(`${topic}:0:0`)).toMatchObject({ status: 'discarded' });

    expect(await ask('pipeline/pause')).toBe(200);
    await kafka.produce(topic, [{ partition: 0, value: '{"n":1}' }]);
    expect((await get(`/v1/records/${topic}:0:1`)).code).toBe(404);
    await ask('pipeline/resume');
    expect(await endOf(`${topic}:0:1`)).toMatchObject({ status: 'discarded' });
  });

  it('finds a position that is in flight, and one that has not been seen', async () => {
    const gate = new Gate();
    const topic = await produced({ key: 'ada', value: '{"a":1}' });
    await start(topic, { name: 'held', egress: () => gate.promise });
    await until(
      async () => {
        const { body } = await get<{ stage?: string; attempts?: number }>(
          `/v1/records/${topic}:0:0`,
        );
        return body.stage === 'AsyncEgress';
      },
      { what: 'the record in AsyncEgress' },
    );
    const { body } = await get(`/v1/records/${topic}:0:0`);
    expect(body).toMatchObject({ status: 'accepted', key: 'ada', tenant: 'default' });
    expect(await get(`/v1/records/${topic}:0:1`)).toMatchObject({
      code: 404,
      body: { detail: expect.stringContaining('has ended up to offset 0') },
    });
    gate.open();
    expect(await endOf(`${topic}:0:0`)).toMatchObject({ status: 'acknowledged' });
  });

  it.each([
    ['a tombstone', { value: null }, {}, 'validation'],
    ['a value that is not JSON', { value: 'text' }, {}, 'validation'],
    [
      'an unsafe number that is written anew',
      { value: '{"n":12345678901234567890}' },
      { preprocess: (payload: object) => ({ ...payload }) },
      'unsafe-number',
    ],
    ['bytes that the table refuses', { value: 'text' }, { format: 'bytes' as const }, 'rejected'],
  ])('ends %s as a dead letter with its bytes', async (_, message, definition, reason) => {
    const topic = await produced({ key: Buffer.from([0, 7]).toString(), ...message });
    await start(topic, { name: 'test', ...definition } as AnyPipelineDefinition);
    expect(await endOf(`${topic}:0:0`)).toMatchObject({ status: 'dead-lettered', reason });
    const { rows } = await service!.database.pool.query<Record<string, unknown>>(
      'SELECT payload, key_bytes FROM dead_letter',
    );
    const { value } = message;
    const payload = value === null ? null : Buffer.from(value);
    expect(rows).toEqual([{ payload, key_bytes: Buffer.from([0, 7]) }]);
  });

  it('ends what preprocess discards, with the reason', async () => {
    const topic = await produced({ value: '1' });
    await start(topic, { name: 'test', preprocess: (_, { discard }) => discard('a test') });
    expect(await endOf(`${topic}:0:0`)).toMatchObject({ status: 'discarded', reason: 'a test' });
  });
});
