import { readMessages } from '../support/kafka-messages.js';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import {
  type AdminDocument,
  endsOf,
  getJson,
  makeMessages,
  pipelineFile,
  poison,
  runsOf,
  untilBooked,
  watchCommits,
} from '../support/kafka-flow.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';

const PARTITIONS = 4;
const RECORDS = 50_000;
const POISON_EVERY = 1000;
const POISONED = RECORDS / POISON_EVERY;

describe('50,000 records from Kafka to Kafka, 0.1 % of them poison', () => {
  const groupId = uniqueName('group');
  const output = uniqueName('out');
  const pipeline = pipelineFile();
  let kafka: TestKafka;
  let database: TestDatabase;
  let service: Service;
  let topic = '';
  let commits: Awaited<ReturnType<ReturnType<typeof watchCommits>['stop']>>;

  beforeAll(async () => {
    [kafka, database] = await Promise.all([TestKafka.connect(), createTestDatabase()]);
    topic = await kafka.createTopic(PARTITIONS);
    const messages = makeMessages(RECORDS, { partitions: PARTITIONS, poisonEvery: POISON_EVERY });
    await kafka.produce(topic, messages);
    const watch = watchCommits(kafka, database.pool, { topic, groupId });
    service = await startService({
      env: {
        DATABASE_URL: database.url,
        PIPELINE_MODULE: pipeline.path,
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_GROUP_ID: groupId,
        KAFKA_INPUT_TOPICS: topic,
        KAFKA_OUTPUT_TOPIC: output,
        KAFKA_OUTPUT_PARTITIONS: String(PARTITIONS),
        SINKS: 'kafka',
      },
    });
    await untilBooked(kafka, database.pool, { topic });
    commits = await watch.stop();
  });

  afterAll(async () => {
    await service?.stop();
    await Promise.all([kafka?.close(), database?.drop()]);
    pipeline.remove();
  });

  it('keeps the order of every key and the bytes of every value', async () => {
    const messages = await readMessages(
      testBrokers(),
      output,
      (read) => read.length >= RECORDS - POISONED,
    );
    const last = new Map<string, number>();
    let disordered = 0;
    const ids = new Set<string>();
    for (const { key, value, headers } of messages) {
      ids.add(headers['penstock-record-id'] ?? '');
      if (key === null) continue;
      const { number } = JSON.parse(String(value)) as { number: number };
      if (number <= (last.get(key) ?? -1)) disordered += 1;
      last.set(key, number);
    }
    expect(disordered).toBe(0);
    expect(messages).toHaveLength(RECORDS - POISONED);
    expect(ids.size).toBe(RECORDS - POISONED);
    const sent = makeMessages(RECORDS, { partitions: PARTITIONS, poisonEvery: POISON_EVERY });
    const valuesOf = (all: readonly { value: Buffer | string | null }[]): Set<string> =>
      new Set(all.map(({ value }) => String(value)));
    const poisonless = sent.filter(({ value }) => !Buffer.isBuffer(value));
    expect(valuesOf(messages)).toEqual(valuesOf(poisonless));
  });

  it('has every poison record in the dead letters, with its raw bytes', async () => {
    const { rows } = await database.pool.query<{ payload: Buffer; reason: string; id: string }>(
      'SELECT payload, reason, record_id AS id FROM dead_letter',
    );
    const expected = Array.from({ length: POISONED }, (_, i) =>
      poison((i + 1) * POISON_EVERY - 1).toString('hex'),
    );
    expect(rows.map(({ payload }) => payload.toString('hex')).toSorted()).toEqual(
      expected.toSorted(),
    );
    expect(new Set(rows.map(({ reason }) => reason))).toEqual(new Set(['validation']));
    expect(await getJson(service, `/v1/records/${rows[0]?.id}`)).toMatchObject({
      status: 'dead-lettered',
      reason: 'validation',
    });
  });

  it('has books that equal the topic, balanced, and never behind what it committed', async () => {
    const ends = await endsOf(kafka, topic);
    expect(await runsOf(database.pool, topic)).toEqual(
      ends.map((end, partition) => `${partition}:0-${end - 1}`),
    );
    const { conservation, stages } = await getJson<AdminDocument>(service, '/v1/admin/pipeline');
    expect(conservation).toMatchObject({
      balanced: true,
      sources: {
        kafka: { accepted: RECORDS, acknowledged: RECORDS - POISONED, deadLettered: POISONED },
      },
    });
    expect(stages.map(({ credits }) => credits.outstanding)).toEqual([0, 0, 0, 0, 0]);
    expect(commits.looks).toBeGreaterThan(0);
    expect(commits.ahead).toEqual([]);
  });

  it('finds a record by its position', async () => {
    expect(await getJson(service, `/v1/records/${topic}:1:17`)).toMatchObject({
      id: `${topic}:1:17`,
      status: 'acknowledged',
      run: { firstOffset: expect.any(String) },
    });
    expect(await getJson(service, `/v1/records/${topic}:1:999999`)).toMatchObject({
      status: 404,
      detail: expect.stringContaining('has ended up to offset 12500'),
    });
  });
});
