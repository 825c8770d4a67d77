import type { ConsumerClient } from './consumer-client.js';
import {
  ensureTopics,
  fewestPartitionsOfOneBroker,
  settingsFor,
  type TopicSpec,
} from './topics.js';

type Admin = ConsumerClient['admin'];

const DAY_MS = 86_400_000;

const logger = { error: jest.fn(), warn: jest.fn(), info: jest.fn(), debug: jest.fn() };

const admin = (existing: string[], overrides: object = {}) => {
  const partitions = [0, 1].map((leader) => ({ leader, replicas: [0] }));
  const configEntries = [
    { configName: 'min.insync.replicas', configValue: '1' },
    { configName: 'retention.ms', configValue: '1000' },
  ];
  const fake = {
    listTopics: () => Promise.resolve(existing),
    createTopics: jest.fn(() => Promise.resolve(true)),
    describeCluster: () => Promise.resolve({ brokers: [{}] }),
    fetchTopicMetadata: () =>
      Promise.resolve({ topics: existing.map((name) => ({ name, partitions })) }),
    describeConfigs: jest.fn(() =>
      Promise.resolve({
        resources: existing.map((resourceName) => ({ resourceName, configEntries })),
      }),
    ),
    ...overrides,
  };
  return { fake, admin: fake as unknown as Admin };
};

const input = (more: Partial<TopicSpec> = {}): TopicSpec => ({
  name: 'in',
  role: 'input',
  ...more,
});

describe('settingsFor', () => {
  it.each([
    [1, 1, 1],
    [2, 2, 1],
    [3, 3, 2],
    [9, 3, 2],
  ])(
    'gives %i brokers %i replicas, %i of them in sync',
    (brokers, replicationFactor, minInsyncReplicas) => {
      expect(settingsFor(input(), brokers)).toMatchObject({ replicationFactor, minInsyncReplicas });
    },
  );

  it('takes the defaults of the role, and what was given', () => {
    expect(settingsFor(input(), 3)).toMatchObject({ partitions: 8, retentionMs: 7 * DAY_MS });
    expect(settingsFor({ name: 'p', role: 'processed' }, 3)).toMatchObject({
      partitions: 8,
      retentionMs: DAY_MS,
    });
    const output = { partitions: 4, retentionMs: 30 * DAY_MS, cleanupPolicy: 'delete' };
    expect(settingsFor({ name: 'o', role: 'output' }, 3)).toMatchObject(output);
    expect(settingsFor({ name: 'd', role: 'dead-letter', partitions: 6 }, 3)).toMatchObject({
      ...output,
      partitions: 6,
    });
  });
});

describe('ensureTopics', () => {
  it('takes a topic that exists as it is when nothing was given', async () => {
    const { fake, admin: of } = admin(['in']);
    await ensureTopics(of, [input()], { create: true, logger });
    expect(fake.createTopics).not.toHaveBeenCalled();
    expect(fake.describeConfigs).not.toHaveBeenCalled();
  });

  it('makes a missing one with replicas for the brokers there are, and warns', async () => {
    const { fake, admin: of } = admin([]);
    await ensureTopics(of, [input({ cleanupPolicy: 'compact' })], { create: true, logger });
    expect(fake.createTopics).toHaveBeenCalledWith({
      waitForLeaders: true,
      timeout: 10_000,
      topics: [
        {
          topic: 'in',
          numPartitions: 8,
          replicationFactor: 1,
          configEntries: [
            { name: 'min.insync.replicas', value: '1' },
            { name: 'cleanup.policy', value: 'compact' },
            { name: 'retention.ms', value: `${7 * DAY_MS}` },
          ],
        },
      ],
    });
    expect(logger.warn).toHaveBeenCalledWith(
      'Topic in gets 1 of 3 replicas: there are only 1 brokers',
    );
  });

  it('lists every difference in one error, and changes nothing', async () => {
    const { fake, admin: of } = admin(['in', 'out']);
    const specs: TopicSpec[] = [
      input({ partitions: 3, minInsyncReplicas: 2, retentionMs: 1000 }),
      { name: 'out', role: 'output', cleanupPolicy: 'compact', replicationFactor: 1 },
      { name: 'gone', role: 'output' },
    ];
    await expect(ensureTopics(of, specs, { create: false, logger })).rejects.toThrow(
      'Topics differ from their settings: gone: topic is missing, expected present; ' +
        'in: partitions is 2, expected 3; in: minInsyncReplicas is 1, expected 2; ' +
        'out: cleanupPolicy is unknown, expected compact',
    );
    expect(fake.createTopics).not.toHaveBeenCalled();
  });
});

describe('fewestPartitionsOfOneBroker', () => {
  it('counts leaders, and is 1 without any', async () => {
    const topics = [
      { name: 'a', partitions: [{ leader: 1 }, { leader: 1 }, { leader: 2 }] },
      { name: 'b', partitions: [{ leader: 2 }, { leader: 2 }] },
    ];
    const some = admin([], { fetchTopicMetadata: () => Promise.resolve({ topics }) });
    expect(await fewestPartitionsOfOneBroker(some.admin, ['a', 'b'])).toEqual({
      fewest: 2,
      total: 5,
    });
    expect(await fewestPartitionsOfOneBroker(admin([]).admin, [])).toEqual({ fewest: 1, total: 0 });
  });
});
