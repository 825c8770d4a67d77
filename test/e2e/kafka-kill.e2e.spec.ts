import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import {
  type AdminDocument,
  endsOf,
  expectDeliveredOnceInOrder,
  getJson,
  makeDeliveredTable,
  makeMessages,
  pipelineFile,
  runsOf,
  untilBooked,
} from '../support/kafka-flow.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

const PARTITIONS = 4;
const RECORDS = 30_000;
const KILL_AT = [3_000, 10_000, 20_000];

describe('A service that is killed while records flow from Kafka', () => {
  const pipeline = pipelineFile();
  let kafka: TestKafka;
  let database: TestDatabase;
  let service: Service | undefined;
  let topic = '';

  /** The broker keeps a dead member for its session, so each start has a group of its own: the books say where to go on. */
  const start = (): Promise<Service> =>
    startService({
      env: {
        DATABASE_URL: database.url,
        INSTANCE_ID: 'killed',
        PIPELINE_MODULE: pipeline.path,
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_GROUP_ID: uniqueName('group'),
        KAFKA_INPUT_TOPICS: topic,
      },
    });
  const delivered = async (): Promise<number> => {
    const { rows } = await database.pool.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM delivered',
    );
    return rows[0]?.count ?? 0;
  };

  beforeAll(async () => {
    [kafka, database] = await Promise.all([TestKafka.connect(), createTestDatabase()]);
    topic = await kafka.createTopic(PARTITIONS);
    await makeDeliveredTable(database.pool);
    await kafka.produce(topic, makeMessages(RECORDS, { partitions: PARTITIONS }));
  });

  afterAll(async () => {
    await service?.stop();
    await Promise.all([kafka?.close(), database?.drop()]);
    pipeline.remove();
  });

  it('goes on where its books end: nothing is lost, no row is there twice', async () => {
    for (const count of KILL_AT) {
      service = await start();
      await until(async () => (await delivered()) >= count, {
        deadlineMs: 30_000,
        what: `${count} rows`,
      });
      await service.kill();
      expect(await delivered()).toBeLessThan(RECORDS);
    }
    service = await start();
    await untilBooked(kafka, database.pool, { topic });

    const ends = await endsOf(kafka, topic);
    expect(await runsOf(database.pool, topic)).toEqual(
      ends.map((end, partition) => `${partition}:0-${end - 1}`),
    );
    await expectDeliveredOnceInOrder(database.pool, { topic, ends });
    const { conservation } = await getJson<AdminDocument>(service, '/v1/admin/pipeline');
    expect(conservation).toMatchObject({
      balanced: true,
      sources: { kafka: { accepted: RECORDS, acknowledged: RECORDS } },
    });
  });
});
