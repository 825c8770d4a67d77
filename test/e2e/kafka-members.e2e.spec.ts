import kafkajs from 'kafkajs';
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
import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

const PARTITIONS = 8;
const CHUNK = 400;
/** A member that comes and one that goes make a rebalance each. */
const VISITS = 5;

describe('Two replicas in one group', () => {
  const groupId = uniqueName('group');
  const pipeline = pipelineFile();
  let kafka: TestKafka;
  let database: TestDatabase;
  let topic = '';
  const services: Service[] = [];

  const start = async (instance: string, isReadyAwaited: boolean): Promise<Service> => {
    const service = await startService({
      isReadyAwaited,
      env: {
        DATABASE_URL: database.url,
        INSTANCE_ID: instance,
        PIPELINE_MODULE: pipeline.path,
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_GROUP_ID: groupId,
        KAFKA_INPUT_TOPICS: topic,
        KAFKA_PROFILE: 'low-latency',
        KAFKA_HEARTBEAT_INTERVAL_MS: '200',
      },
    });
    services.push(service);
    return service;
  };

  beforeAll(async () => {
    [kafka, database] = await Promise.all([TestKafka.connect(), createTestDatabase()]);
    topic = await kafka.createTopic(PARTITIONS);
    await makeDeliveredTable(database.pool);
  });

  afterAll(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await Promise.all([kafka?.close(), database?.drop()]);
    pipeline.remove();
  });

  it('share the records; REST is for the one that owns the journal', async () => {
    const first = await start('first', true);
    const second = await start('second', false);
    await until(() => second.output().includes('takes no records by REST yet'), {
      deadlineMs: 30_000,
      what: 'the second replica to stand by',
    });
    await until(async () => (await membersOf(kafka, groupId)).length === 2, {
      deadlineMs: 30_000,
      what: 'two members',
    });
    const post = async ({ url }: Service): Promise<number> => {
      const body = JSON.stringify({ payload: order('ada', 1) });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${url}/v1/records`, { method: 'POST', headers, body });
      await answer.arrayBuffer();
      return answer.status;
    };
    expect(await post(first)).toBe(202);
    expect(await post(second)).toBe(503);
    expect(await getJson(second, '/health/ready')).toMatchObject({
      error: { intake: { reason: 'partitions-elsewhere' } },
    });
  });

  it('lose and skip nothing over ten rebalances under load', async () => {
    let sent = 0;
    let isOver = false;
    const producing = (async (): Promise<void> => {
      while (!isOver) {
        await kafka.produce(topic, makeMessages(CHUNK, { partitions: PARTITIONS, from: sent }));
        sent += CHUNK;
      }
    })();
    for (let visit = 0; visit < VISITS; visit += 1) await visitGroup(kafka, { groupId, topic });
    isOver = true;
    await producing;
    await untilBooked(kafka, database.pool, { topic });

    const joins = services.map(
      (service) => service.output().split('Kafka partitions assigned').length - 1,
    );
    expect(Math.min(...joins)).toBeGreaterThanOrEqual(2 * VISITS);
    const ends = await endsOf(kafka, topic);
    expect(await runsOf(database.pool, topic)).toEqual(
      ends.map((end, partition) => `${partition}:0-${end - 1}`),
    );
    await expectDeliveredOnceInOrder(database.pool, { topic, ends });
    const { conservation } = await getJson<AdminDocument>(services[0]!, '/v1/admin/pipeline');
    expect(conservation).toMatchObject({
      balanced: true,
      sources: { kafka: { accepted: sent, acknowledged: sent } },
    });
  });
});

async function membersOf(kafka: TestKafka, groupId: string): Promise<string[]> {
  const { groups } = await kafka.admin.describeGroups([groupId]);
  const [group] = groups;
  return group?.state === 'Stable' ? group.members.map(({ memberId }) => memberId) : [];
}

/** A member that takes a share of the partitions, does nothing with them, and leaves. */
async function visitGroup(
  kafka: TestKafka,
  { groupId, topic }: { groupId: string; topic: string },
): Promise<void> {
  const client = new kafkajs.Kafka({
    brokers: testBrokers(),
    clientId: 'visitor',
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const visitor = client.consumer({ groupId, heartbeatInterval: 200, maxWaitTimeInMs: 50 });
  await visitor.connect();
  try {
    await visitor.subscribe({ topic });
    await visitor.run({ autoCommit: false, eachBatch: () => Promise.resolve() });
    await until(async () => (await membersOf(kafka, groupId)).length === 3, {
      deadlineMs: 30_000,
      what: 'three members',
    });
  } finally {
    await visitor.disconnect();
  }
  await until(async () => (await membersOf(kafka, groupId)).length === 2, {
    deadlineMs: 30_000,
    what: 'two members again',
  });
}
