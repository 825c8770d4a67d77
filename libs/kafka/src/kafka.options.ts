import type { ConnectionOptions } from 'node:tls';
import type { Clock, RandomSource } from '#libs/flow-control';
import type { KafkaLogger } from './kafka-logger.js';
import type { ConsumerTuning, ProducerTuning } from './profiles.js';
import type { TopicSpec } from './topics.js';
import type { TransactionalOffsets } from './transactional-offsets.js';

interface Credentials<Mechanism> {
  readonly mechanism: Mechanism;
  readonly username: string;
  readonly password: string;
}
export type SaslOptions =
  Credentials<'plain'> | Credentials<'scram-sha-256'> | Credentials<'scram-sha-512'>;

/** How to reach the brokers. */
export interface ConnectionSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl?: boolean | ConnectionOptions;
  readonly sasl?: SaslOptions;
}

export interface KafkaSourceOptions {
  readonly connection: ConnectionSettings;
  readonly groupId: string;
  readonly topics: readonly string[];
  /** Where a topic begins for which neither the group nor the books have a position. Default: earliest. */
  readonly start?: 'earliest' | 'latest';
  readonly tuning: ConsumerTuning;
  /** Records a second, all partitions together. 0 = unlimited, the default. */
  readonly maxRecordsPerSecond?: number;
  /** Records that the whole pipeline holds. */
  readonly pipelineRecords: number;
  /** What is checked, and made when missing, before the first fetch. */
  readonly topicSpecs?: readonly TopicSpec[];
  readonly createTopics?: boolean;
  /** Set: these move the group's offsets, the source commits none, and their position beats the books. */
  readonly transactions?: TransactionalOffsets;
  readonly timing?: Partial<SourceTiming>;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: KafkaLogger;
}

/** Times of the adapter itself. */
export interface SourceTiming {
  /** Longest wait for credit before the next heartbeat. */
  readonly creditWaitSliceMs: number;
  /** A partition that waited so long is paused. */
  readonly pauseAfterMs: number;
  /** A log that ends below what was read means a new topic when seen twice, so far apart. */
  readonly endBelowLowMs: number;
  /** Of the consumer's client: a hung heartbeat must not eat the session. */
  readonly requestTimeoutMs: number;
}

export const SOURCE_TIMING: SourceTiming = {
  creditWaitSliceMs: 500,
  pauseAfterMs: 5000,
  endBelowLowMs: 30_000,
  requestTimeoutMs: 10_000,
};

/** Longest the event loop may be busy with something else; what is longer is a defect. */
const EVENT_LOOP_BLOCK_MS = 1000;
/** kafkajs's back-off between the tries of one send, and how far it strays. */
const PRODUCER_INITIAL_RETRY_MS = 100;
const RETRY_JITTER_RATIO = 0.2;

/** A setting that breaks a rule. Thrown at construction, with all mistakes listed. */
export class KafkaOptionsError extends RangeError {
  override readonly name = 'KafkaOptionsError';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

export function consumerProblems(tuning: ConsumerTuning, timing: SourceTiming): string[] {
  const { sessionTimeoutMs, heartbeatIntervalMs, rebalanceTimeoutMs } = tuning;
  const { creditWaitSliceMs, requestTimeoutMs } = timing;
  const problems: string[] = [];
  if (heartbeatIntervalMs > sessionTimeoutMs / 3) {
    problems.push(
      `heartbeatIntervalMs must be at most a third of sessionTimeoutMs (got ${heartbeatIntervalMs} of ${sessionTimeoutMs})`,
    );
  }
  const gapMs = heartbeatIntervalMs + creditWaitSliceMs + EVENT_LOOP_BLOCK_MS + requestTimeoutMs;
  if (gapMs >= sessionTimeoutMs / 2) {
    problems.push(
      `the longest gap between two heartbeats, ${gapMs} ms, must be below half of sessionTimeoutMs (got ${sessionTimeoutMs})`,
    );
  }
  if (rebalanceTimeoutMs < sessionTimeoutMs) {
    problems.push(
      `rebalanceTimeoutMs must be at least sessionTimeoutMs (got ${rebalanceTimeoutMs} and ${sessionTimeoutMs})`,
    );
  }
  return problems;
}

/** The broker counts at most `maxBytesPerPartition` per partition, so a larger `minBytes` makes every fetch wait in full. */
export function fetchSizeProblems(
  { minBytes, maxBytesPerPartition }: ConsumerTuning,
  partitionsOfOneBroker: number,
): string[] {
  const reachable = maxBytesPerPartition * partitionsOfOneBroker;
  if (minBytes <= reachable) return [];
  return [
    `minBytes must be at most maxBytesPerPartition × partitions of one broker, ${reachable} (got ${minBytes})`,
  ];
}

/** Longest that one send with all its retries can take. */
export function longestSendMs({ retries, producerRequestTimeoutMs }: ProducerTuning): number {
  let delayMs = PRODUCER_INITIAL_RETRY_MS * (1 + RETRY_JITTER_RATIO);
  let backOffMs = 0;
  for (let i = 0; i < retries; i += 1) {
    backOffMs += delayMs;
    delayMs *= 2 * (1 + RETRY_JITTER_RATIO);
  }
  return (retries + 1) * producerRequestTimeoutMs + backOffMs;
}

export function producerProblems(tuning: ProducerTuning, ackTimeoutMs: number): string[] {
  const sendMs = Math.ceil(longestSendMs(tuning));
  if (sendMs < ackTimeoutMs) return [];
  return [
    `a send with its retries can take ${sendMs} ms and must end before the acknowledgment timeout (got ${ackTimeoutMs})`,
  ];
}

/** Throws `KafkaOptionsError` when there are problems. */
export function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new KafkaOptionsError(problems);
}
