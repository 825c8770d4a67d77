import type { EachBatchHandler } from 'kafkajs';
import type { AssignedPartition } from './assigned-partition.js';
import type { Assignment } from './assignment.js';
import type { ConsumerClient } from './consumer-client.js';
import type { Heart } from './heart.js';
import { fetchSizeProblems, type KafkaSourceOptions, refuse } from './kafka.options.js';
import { ensureTopics, fewestPartitionsOfOneBroker } from './topics.js';

/** kafkajs starts one worker each; more partitions than this share them. */
const MAX_CONCURRENT_PARTITIONS = 64;

export interface RunOptions {
  readonly options: KafkaSourceOptions;
  readonly assignment: Assignment;
  readonly heart: Heart;
  readonly eachBatch: EachBatchHandler;
  readonly onJoin: () => void;
  /** The client went past markers or compacted records by itself. */
  readonly onPassed: (partition: AssignedPartition) => void;
  readonly onCrash: (error: Error) => void;
}

/** Connects, checks the topics, subscribes and runs. Rejects when any of it fails; a later crash calls `onCrash`. */
export async function runConsumer(client: ConsumerClient, run: RunOptions): Promise<void> {
  const { consumer, admin } = client;
  const { options, eachBatch } = run;
  listen(client, run);
  await admin.connect();
  await ensureTopics(admin, options.topicSpecs ?? [], {
    create: options.createTopics ?? true,
    logger: options.logger,
  });
  const { fewest, total } = await fewestPartitionsOfOneBroker(admin, options.topics);
  refuse(fetchSizeProblems(options.tuning, fewest));
  await consumer.connect();
  // From the beginning: a position that is gone must not become the end. `start` is another matter (Assignment).
  await consumer.subscribe({ topics: [...options.topics], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    partitionsConsumedConcurrently: Math.max(1, Math.min(MAX_CONCURRENT_PARTITIONS, total)),
    eachBatch,
  });
}

function listen(
  client: ConsumerClient,
  { assignment, heart, onJoin, onPassed, onCrash }: RunOptions,
): void {
  const { consumer } = client;
  const { GROUP_JOIN, HEARTBEAT, CRASH, START_BATCH_PROCESS } = consumer.events;
  consumer.on(GROUP_JOIN, ({ payload }) => {
    heart.joined();
    assignment.joined(client, payload.memberAssignment);
    onJoin();
  });
  consumer.on(HEARTBEAT, () => heart.contact());
  consumer.on(CRASH, ({ payload }) => onCrash(payload.error));
  consumer.on(START_BATCH_PROCESS, ({ payload: { topic, partition, batchSize, lastOffset } }) => {
    if (batchSize > 0) return;
    // Nothing but markers or compacted records: kafkajs resolves it without asking us.
    const passing = assignment.get(topic, partition);
    if (passing?.passed(BigInt(lastOffset) + 1n)) onPassed(passing);
  });
}
