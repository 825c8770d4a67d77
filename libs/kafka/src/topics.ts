import kafkajs from 'kafkajs';
import type { ConsumerClient } from './consumer-client.js';
import type { KafkaLogger } from './kafka-logger.js';

const { ConfigResourceTypes } = kafkajs;

const CREATE_TIMEOUT_MS = 10_000;
const DAY_MS = 86_400_000;

export type TopicRole = 'input' | 'processed' | 'output' | 'dead-letter';

/** What a topic is made with. */
export interface TopicSettings {
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
  readonly cleanupPolicy: string;
  readonly retentionMs: number;
}

/** A topic; a setting that is left out is taken as found, or from the role's defaults when the topic is made. */
export interface TopicSpec extends Partial<TopicSettings> {
  readonly name: string;
  readonly role: TopicRole;
}

export interface TopicMismatch {
  readonly topic: string;
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
}

const input: TopicSettings = {
  partitions: 8,
  replicationFactor: 3,
  minInsyncReplicas: 2,
  cleanupPolicy: 'delete',
  retentionMs: 7 * DAY_MS,
};
const output: TopicSettings = { ...input, partitions: 4, retentionMs: 30 * DAY_MS };

export const TOPIC_DEFAULTS: Readonly<Record<TopicRole, TopicSettings>> = {
  input,
  processed: { ...input, retentionMs: DAY_MS },
  output,
  'dead-letter': output,
};

/** Topics are not as configured. Nothing was changed; the operator decides. Lists all of it at once. */
export class TopicMismatchError extends Error {
  override readonly name = 'TopicMismatchError';

  constructor(readonly mismatches: readonly TopicMismatch[]) {
    const lines = mismatches.map(
      ({ topic, setting, expected, found }) =>
        `${topic}: ${setting} is ${found}, expected ${expected}`,
    );
    super(`Topics differ from their settings: ${lines.join('; ')}`);
  }
}

/** The settings that were given. */
function given(spec: TopicSpec): Partial<TopicSettings> {
  const names = Object.keys(TOPIC_DEFAULTS[spec.role]) as (keyof TopicSettings)[];
  const pairs = names.flatMap((name) => (spec[name] === undefined ? [] : [[name, spec[name]]]));
  return Object.fromEntries(pairs) as Partial<TopicSettings>;
}

/** Settings for a new topic on `brokers` brokers: no more replicas than brokers, and one of them may go. */
export function settingsFor(spec: TopicSpec, brokers: number): TopicSettings {
  const wanted = { ...TOPIC_DEFAULTS[spec.role], ...given(spec) };
  const replicationFactor = Math.min(wanted.replicationFactor, brokers);
  const minInsyncReplicas = Math.min(wanted.minInsyncReplicas, Math.max(1, replicationFactor - 1));
  return { ...wanted, replicationFactor, minInsyncReplicas };
}

type TopicAdmin = ConsumerClient['admin'];

export interface EnsureOptions {
  /** Makes what is missing; off, a missing topic is a mismatch. */
  readonly create: boolean;
  readonly logger: KafkaLogger;
}

/** Makes missing topics and checks those that exist against the settings that were given. Throws `TopicMismatchError`. */
export async function ensureTopics(
  admin: TopicAdmin,
  specs: readonly TopicSpec[],
  { create, logger }: EnsureOptions,
): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = specs.filter(({ name }) => !existing.has(name));
  if (create && missing.length > 0) await makeTopics(admin, missing, logger);
  const absent: readonly TopicMismatch[] = create
    ? []
    : missing.map(({ name }) => ({
        topic: name,
        setting: 'topic',
        expected: 'present',
        found: 'missing',
      }));
  const present = specs.filter(({ name }) => existing.has(name));
  const mismatches = [...absent, ...(await differences(admin, present))];
  if (mismatches.length > 0) throw new TopicMismatchError(mismatches);
}

async function makeTopics(
  admin: TopicAdmin,
  specs: readonly TopicSpec[],
  logger: KafkaLogger,
): Promise<void> {
  const { brokers } = await admin.describeCluster();
  const topics = specs.map((spec) => {
    const settings = settingsFor(spec, brokers.length);
    const wanted = spec.replicationFactor ?? TOPIC_DEFAULTS[spec.role].replicationFactor;
    if (settings.replicationFactor < wanted) {
      logger.warn(
        `Topic ${spec.name} gets ${settings.replicationFactor} of ${wanted} replicas: there are only ${brokers.length} brokers`,
      );
    }
    return {
      topic: spec.name,
      numPartitions: settings.partitions,
      replicationFactor: settings.replicationFactor,
      configEntries: [
        { name: 'min.insync.replicas', value: `${settings.minInsyncReplicas}` },
        { name: 'cleanup.policy', value: settings.cleanupPolicy },
        { name: 'retention.ms', value: `${settings.retentionMs}` },
      ],
    };
  });
  // False, and no error, when another replica was faster.
  await admin.createTopics({ topics, waitForLeaders: true, timeout: CREATE_TIMEOUT_MS });
}

const CONFIG_NAMES = {
  minInsyncReplicas: 'min.insync.replicas',
  cleanupPolicy: 'cleanup.policy',
  retentionMs: 'retention.ms',
} as const;

async function differences(
  admin: TopicAdmin,
  specs: readonly TopicSpec[],
): Promise<TopicMismatch[]> {
  if (specs.length === 0) return [];
  const { topics } = await admin.fetchTopicMetadata({ topics: specs.map(({ name }) => name) });
  const configs = await configsOf(admin, specs);
  return specs.flatMap((spec) => {
    const metadata = topics.find(({ name }) => name === spec.name);
    const found: Record<string, string | undefined> = {
      partitions: metadata && `${metadata.partitions.length}`,
      replicationFactor: metadata && `${metadata.partitions[0]?.replicas.length}`,
    };
    for (const [setting, name] of Object.entries(CONFIG_NAMES)) {
      found[setting] = configs.get(`${spec.name} ${name}`);
    }
    return Object.entries(found).flatMap(([setting, value]) => {
      const expected = spec[setting as keyof TopicSettings];
      if (expected === undefined || `${expected}` === value) return [];
      return { topic: spec.name, setting, expected: `${expected}`, found: value ?? 'unknown' };
    });
  });
}

/** Values by `topic name`; asked only for topics whose configuration was given. */
async function configsOf(
  admin: TopicAdmin,
  specs: readonly TopicSpec[],
): Promise<ReadonlyMap<string, string>> {
  const settings = Object.keys(CONFIG_NAMES) as (keyof typeof CONFIG_NAMES)[];
  const asked = specs.filter((spec) => settings.some((setting) => spec[setting] !== undefined));
  if (asked.length === 0) return new Map();
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: asked.map(({ name }) => ({
      type: ConfigResourceTypes.TOPIC,
      name,
      configNames: Object.values(CONFIG_NAMES),
    })),
  });
  return new Map(
    resources.flatMap(({ resourceName, configEntries }) =>
      configEntries.map(
        ({ configName, configValue }) => [`${resourceName} ${configName}`, configValue] as const,
      ),
    ),
  );
}

/** The fewest partitions that one broker leads, over these topics; at least 1. */
export async function fewestPartitionsOfOneBroker(
  admin: TopicAdmin,
  topics: readonly string[],
): Promise<{ readonly fewest: number; readonly total: number }> {
  const metadata = await admin.fetchTopicMetadata({ topics: [...topics] });
  const led = new Map<number, number>();
  let total = 0;
  for (const { partitions } of metadata.topics) {
    for (const { leader } of partitions) {
      led.set(leader, (led.get(leader) ?? 0) + 1);
      total += 1;
    }
  }
  return { fewest: led.size === 0 ? 1 : Math.min(...led.values()), total };
}
