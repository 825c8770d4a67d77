import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { freePort } from '../support/free-port.mjs';
import { type Broker, createBroker } from '../support/kafka-broker.mjs';
import { KafkaProxy } from '../support/kafka-proxy.js';
import { TestKafka, uniqueName } from '../support/kafka.js';
import {
  endsOf,
  expectDeliveredOnceInOrder,
  lowsOf,
  makeDeliveredTable,
  makeMessages,
  pipelineFile,
  untilBooked,
  watchCommits,
} from '../support/kafka-flow.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

const PARTITIONS = 4;
const QUIET_MS = 3000;
/** Heartbeats, commits and metadata go on. */
const QUIET_BYTES = 4096;
const MIB = 1024 * 1024;

describe('Kafka behind a proxy', () => {
  const pipeline = pipelineFile();
  let broker: Broker;
  let proxy: KafkaProxy;
  let kafka: TestKafka;
  let database: TestDatabase;
  let service: Service;
  let groupId = '';
  let topic = '';

  beforeAll(async () => {
    const [port, advertisedPort] = await Promise.all([freePort(), freePort()]);
    proxy = new KafkaProxy(`127.0.0.1:${port}`);
    await proxy.open(advertisedPort);
    broker = await createBroker({ port, advertisedPort });
    kafka = await TestKafka.connect({ brokers: [broker.brokers] });
  });

  afterAll(async () => {
    await kafka?.close();
    await broker?.stop();
    await proxy?.close();
    pipeline.remove();
  });

  beforeEach(async () => {
    database = await createTestDatabase();
    await makeDeliveredTable(database.pool);
    groupId = uniqueName('group');
    topic = await kafka.createTopic(PARTITIONS);
  });

  afterEach(async () => {
    await service?.stop();
    await database.drop();
  });

  const start = (): Promise<Service> =>
    startService({
      env: {
        DATABASE_URL: database.url,
        PIPELINE_MODULE: pipeline.path,
        KAFKA_BROKERS: broker.brokers,
        KAFKA_GROUP_ID: groupId,
        KAFKA_INPUT_TOPICS: topic,
        KAFKA_PROFILE: 'low-latency',
        KAFKA_HEARTBEAT_INTERVAL_MS: '300',
        KAFKA_SESSION_TIMEOUT_MS: '24000',
        KAFKA_REBALANCE_TIMEOUT_MS: '24000',
        KAFKA_MAX_BYTES: String(MIB),
        KAFKA_MAX_BYTES_PER_PARTITION: String(MIB / 4),
        PIPELINE_BUFFER_SIZE: '2000',
      },
    });
  const assignments = (): number => service.output().split('Kafka partitions assigned').length - 1;

  it('fetches nothing more while the sink is stuck, keeps its place in the group, and recovers', async () => {
    const records = 60_000;
    await kafka.produce(topic, makeMessages(records, { partitions: PARTITIONS }));
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query('BEGIN');
    await client.query('LOCK TABLE delivered IN ACCESS EXCLUSIVE MODE');
    const before = proxy.bytesToClient;
    service = await start();

    const fetched = await untilQuiet(proxy);
    const rss = residentBytes(service.pid);
    const members = await membersOf(kafka, groupId);
    expect(members).toHaveLength(1);
    // About 17 MiB wait in the topic.
    expect(fetched - before).toBeLessThan(8 * MIB);
    expect((await lowsOf(database.pool, topic)).every((low) => low === 0)).toBe(true);
    expect(await untilQuiet(proxy)).toBeLessThan(fetched + MIB / 4);
    expect(residentBytes(service.pid) - rss).toBeLessThan(32 * MIB);

    await client.query('COMMIT');
    await client.end();
    await untilBooked(kafka, database.pool, { topic });
    expect(await membersOf(kafka, groupId)).toEqual(members);
    expect(assignments()).toBe(1);
    const ends = await endsOf(kafka, topic);
    await expectDeliveredOnceInOrder(database.pool, { topic, ends });
  });

  it('goes on when the broker was killed and comes back: nothing is lost, nothing is committed too early', async () => {
    const half = 15_000;
    await kafka.produce(topic, makeMessages(half, { partitions: PARTITIONS }));
    const watch = watchCommits(kafka, database.pool, { topic, groupId });
    service = await start();
    await until(async () => (await lowsOf(database.pool, topic)).some((low) => low > 500), {
      deadlineMs: 30_000,
      what: 'some records to be delivered',
    });
    const { ahead } = await watch.stop();
    await broker.kill();
    await broker.start();
    await kafka.produce(topic, makeMessages(half, { partitions: PARTITIONS, from: half }));
    const again = watchCommits(kafka, database.pool, { topic, groupId });
    await untilBooked(kafka, database.pool, { topic, deadlineMs: 90_000 });
    expect([...ahead, ...(await again.stop()).ahead]).toEqual([]);
    const ends = await endsOf(kafka, topic);
    await expectDeliveredOnceInOrder(database.pool, { topic, ends });
  });
});

/** Waits until next to nothing has come from the broker for a while; returns what had come by then. */
async function untilQuiet(proxy: KafkaProxy): Promise<number> {
  let bytes = proxy.bytesToClient;
  let sinceMs = performance.now();
  const isQuiet = (): boolean => {
    const nowMs = performance.now();
    if (nowMs - sinceMs < QUIET_MS) return false;
    const grown = proxy.bytesToClient - bytes;
    bytes = proxy.bytesToClient;
    sinceMs = nowMs;
    return grown < QUIET_BYTES;
  };
  await until(isQuiet, { deadlineMs: 60_000, what: 'the broker to be asked for nothing' });
  return bytes;
}

async function membersOf(kafka: TestKafka, groupId: string): Promise<string[]> {
  const { groups } = await kafka.admin.describeGroups([groupId]);
  return groups[0]?.members.map(({ memberId }) => memberId) ?? [];
}

function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}
