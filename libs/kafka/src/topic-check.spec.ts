import { FakeClock } from '../../../test/support/fake-clock.js';
import { TopicCheck, type TopicCheckOptions } from './topic-check.js';

/** A cluster of one broker with one topic, or none, as an admin client sees it. */
class FakeCluster {
  isAway = false;
  partitions: number | undefined;
  open = 0;
  looks = 0;

  readonly createAdmin = (): ReturnType<TopicCheckOptions['createAdmin']> => {
    this.looks += 1;
    this.open += 1;
    const admin = {
      connect: () => (this.isAway ? Promise.reject(new Error('ECONNREFUSED')) : Promise.resolve()),
      disconnect: () => {
        this.open -= 1;
        return Promise.resolve();
      },
      listTopics: () => Promise.resolve(this.partitions === undefined ? [] : ['out']),
      describeCluster: () => Promise.resolve({ brokers: [{ nodeId: 1 }] }),
      createTopics: ({ topics }: { topics: { numPartitions: number }[] }) => {
        this.partitions = topics[0]!.numPartitions;
        return Promise.resolve(true);
      },
      fetchTopicMetadata: () =>
        Promise.resolve({
          topics: [
            {
              name: 'out',
              partitions: Array.from({ length: this.partitions ?? 0 }, () => ({ replicas: [1] })),
            },
          ],
        }),
    };
    return admin as unknown as ReturnType<TopicCheckOptions['createAdmin']>;
  };
}

function setUp(options: Partial<TopicCheckOptions> = {}) {
  const cluster = new FakeCluster();
  const clock = new FakeClock();
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
  const logger = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
  const onReady = jest.fn();
  const check = new TopicCheck({
    specs: [{ name: 'out', role: 'output', partitions: 3, replicationFactor: 1 }],
    create: true,
    createAdmin: cluster.createAdmin,
    onReady,
    clock,
    random: () => 0.5,
    logger,
    ...options,
  });
  return { cluster, clock, lines, onReady, check };
}

describe('TopicCheck', () => {
  it('makes the topic, tells once that it is ready, and leaves no connection behind', async () => {
    const { cluster, clock, lines, onReady, check } = setUp();
    check.start();
    check.start();
    expect(check.state).toBe('connecting');
    await clock.advanceAsync(60_000);
    expect(check).toMatchObject({ state: 'ready', detail: undefined });
    expect(cluster).toMatchObject({ partitions: 3, looks: 1, open: 0 });
    expect(onReady).toHaveBeenCalledTimes(1);
    expect(lines).toEqual([]);
  });

  it('waits for a broker, says so once, and goes on when it comes', async () => {
    const { cluster, clock, lines, onReady, check } = setUp();
    cluster.isAway = true;
    check.start();
    await clock.advanceAsync(120_000);
    expect(check).toMatchObject({ state: 'waiting', detail: 'ECONNREFUSED' });
    expect(cluster.looks).toBeGreaterThan(3);
    expect(onReady).not.toHaveBeenCalled();
    cluster.isAway = false;
    await clock.advanceAsync(30_000);
    expect(check.state).toBe('ready');
    expect(lines).toEqual([
      'warn: No Kafka broker answers: ECONNREFUSED. Tried again until one does.',
      'info: Topics are as configured now: out.',
    ]);
    expect(cluster.open).toBe(0);
  });

  it('fails with what differs, says so once, and looks again until an operator has changed it', async () => {
    const { cluster, clock, lines, check } = setUp();
    cluster.partitions = 2;
    check.start();
    await clock.advanceAsync(120_000);
    const detail = 'Topics differ from their settings: out: partitions is 2, expected 3';
    expect(check).toMatchObject({ state: 'failed', detail });
    expect(lines).toEqual([`error: ${detail}. Looked at again until they agree.`]);
    cluster.partitions = 3;
    await clock.advanceAsync(30_000);
    expect(check.state).toBe('ready');
  });

  it('takes a missing topic for a mismatch when it may not make it', async () => {
    const { clock, check } = setUp({ create: false });
    check.start();
    await clock.advanceAsync(0);
    expect(check).toMatchObject({
      state: 'failed',
      detail: 'Topics differ from their settings: out: topic is missing, expected present',
    });
  });

  it('stops while it waits, and looks no more', async () => {
    const { cluster, clock, lines, onReady, check } = setUp();
    cluster.isAway = true;
    check.start();
    await clock.advanceAsync(5000);
    await check.stop();
    await check.stop();
    const { looks } = cluster;
    cluster.isAway = false;
    await clock.advanceAsync(120_000);
    expect(cluster.looks).toBe(looks);
    expect(check.state).toBe('stopped');
    expect(onReady).not.toHaveBeenCalled();
    expect(lines).toHaveLength(1);
  });

  it('is not ready when it was stopped during a look', async () => {
    const { clock, cluster, onReady, check } = setUp();
    check.start();
    const stopped = check.stop();
    await clock.advanceAsync(0);
    await stopped;
    expect(check.state).toBe('stopped');
    expect(onReady).not.toHaveBeenCalled();
    expect(cluster.looks).toBe(1);
  });
});
