import type { TopicCheckState } from '#libs/kafka';
import { ProducerQueue } from '../../libs/kafka/src/producer-queue.js';
import { tuningOf } from '../../libs/kafka/src/profiles.js';
import { finalSinkOptions } from '../../src/final-sink/final-sink.options.js';
import { KafkaSink, type KafkaSinkParts } from '../../src/final-sink/sinks/kafka.sink.js';
import type { FakeClock } from './fake-clock.js';
import { ScriptedProducer } from './scripted-producer.js';

export interface ScriptedKafkaOptions {
  readonly partitions?: number;
  readonly maxRecords?: number;
  readonly bufferBytes?: number;
  readonly ackTimeoutMs?: number;
  readonly breaker?: Partial<KafkaSinkParts['breaker']>;
}

/** A check of the topic that says what the test says. */
export class ScriptedTopicCheck {
  state: TopicCheckState = 'connecting';
  detail: string | undefined;
  isStarted = false;

  constructor(private readonly onReady: () => void) {}

  start(): void {
    this.isStarted = true;
  }

  ready(): void {
    this.state = 'ready';
    this.onReady();
  }

  stop(): Promise<void> {
    this.state = 'stopped';
    return Promise.resolve();
  }
}

/** The Kafka sink on the real queue and lanes; topic and brokers are the test's. Records travel one by one a partition. */
export class ScriptedKafka {
  readonly producer = new ScriptedProducer();
  topicCheck!: ScriptedTopicCheck;
  private readonly partitions: number;

  constructor(private readonly options: ScriptedKafkaOptions = {}) {
    this.partitions = options.partitions ?? 1;
  }

  readonly createSink = (clock: FakeClock): KafkaSink => {
    const { maxRecords = 1000, bufferBytes = 1_000_000, ackTimeoutMs = 10_000 } = this.options;
    const bounds = { maxRecords, bufferBytes, ackTimeoutMs, idempotent: false };
    const random = (): number => 0.5;
    return new KafkaSink({
      name: 'kafka',
      topic: 'out',
      breaker: { ...finalSinkOptions.schema.parse({}), ...this.options.breaker },
      clock,
      random,
      createProducer: (policy) => {
        const tuning = { ...tuningOf('low-latency'), ...bounds };
        const queue = new ProducerQueue(this.producer, { ...tuning, ...policy, clock, random });
        this.producer.onConnect = () => queue.partitionsKnown(this.partitions);
        return queue;
      },
      createTopicCheck: (onReady) => {
        this.topicCheck = new ScriptedTopicCheck(onReady);
        return this.topicCheck;
      },
    });
  };
}
