import type { EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { ConsumerClient } from '../../libs/kafka/src/consumer-client.js';
import type { PositionedBatch } from '../../libs/kafka/src/fetched-batch.js';

type RunConfig = Parameters<ConsumerClient['consumer']['run']>[0];

interface Range {
  start: number;
  end: number;
}

const EVENTS = {
  HEARTBEAT: 'consumer.heartbeat',
  GROUP_JOIN: 'consumer.group_join',
  CRASH: 'consumer.crash',
  START_BATCH_PROCESS: 'consumer.start_batch_process',
} as const;

/** kafkajs as far as a source uses it: scripted answers, and everything it was told. */
export class FakeConsumerClient {
  readonly ranges = new Map<string, Range[]>();
  readonly committed = new Map<string, number[]>();
  readonly seeks: string[] = [];
  readonly paused = new Set<string>();
  readonly commits: string[][] = [];
  runConfig: RunConfig;
  connectFailure: Error | undefined;
  commitFailure: Error | undefined;
  isConnected = false;
  private readonly listeners = new Map<string, ((event: { payload: unknown }) => void)[]>();

  topic(name: string, ranges: Range[], committed: number[] = []): void {
    this.ranges.set(name, ranges);
    this.committed.set(name, committed);
  }

  get client(): ConsumerClient {
    return this as unknown as ConsumerClient;
  }

  readonly consumer = {
    events: EVENTS,
    on: (event: string, listener: (event: { payload: unknown }) => void): void => {
      this.listeners.set(event, [...(this.listeners.get(event) ?? []), listener]);
    },
    connect: (): Promise<void> => Promise.resolve(),
    disconnect: (): Promise<void> => {
      this.isConnected = false;
      return Promise.resolve();
    },
    subscribe: (): Promise<void> => Promise.resolve(),
    run: (config: RunConfig): Promise<void> => {
      this.runConfig = config;
      this.isConnected = true;
      return Promise.resolve();
    },
    seek: ({ topic, partition, offset }: Record<string, string | number>): void => {
      this.seeks.push(`${topic}:${partition}@${offset}`);
    },
    pause: (topics: { topic: string; partitions: number[] }[]): void => this.each(topics, 'add'),
    resume: (topics: { topic: string; partitions: number[] }[]): void =>
      this.each(topics, 'delete'),
    commitOffsets: (
      offsets: { topic: string; partition: number; offset: string }[],
    ): Promise<void> => {
      if (this.commitFailure) return Promise.reject(this.commitFailure);
      for (const { topic, partition, offset } of offsets) {
        (this.committed.get(topic) ?? [])[partition] = Number(offset);
      }
      this.commits.push(
        offsets.map(({ topic, partition, offset }) => `${topic}:${partition}@${offset}`),
      );
      return Promise.resolve();
    },
  };

  readonly admin = {
    connect: (): Promise<void> =>
      this.connectFailure ? Promise.reject(this.connectFailure) : Promise.resolve(),
    disconnect: (): Promise<void> => Promise.resolve(),
    listTopics: (): Promise<string[]> => Promise.resolve([...this.ranges.keys()]),
    fetchTopicMetadata: ({ topics }: { topics: string[] }): Promise<unknown> =>
      Promise.resolve({
        topics: topics.map((name) => ({
          name,
          partitions: (this.ranges.get(name) ?? []).map(() => ({ leader: 1, replicas: [1] })),
        })),
      }),
    fetchTopicOffsets: (topic: string): Promise<unknown> =>
      Promise.resolve(
        (this.ranges.get(topic) ?? []).map(({ start, end }, partition) => ({
          partition,
          low: `${start}`,
          high: `${end}`,
        })),
      ),
    fetchOffsets: ({ topics: [topic = ''] }: { topics: string[] }): Promise<unknown> =>
      Promise.resolve([
        {
          topic,
          partitions: (this.ranges.get(topic) ?? []).map((_, partition) => ({
            partition,
            offset: `${this.committed.get(topic)?.[partition] ?? -1}`,
          })),
        },
      ]),
  };

  emit(event: keyof typeof EVENTS, payload: unknown): void {
    for (const listener of this.listeners.get(EVENTS[event]) ?? []) listener({ payload });
  }

  join(memberAssignment: Record<string, number[]>): void {
    this.emit('GROUP_JOIN', { memberAssignment });
  }

  private each(topics: { topic: string; partitions: number[] }[], change: 'add' | 'delete'): void {
    for (const { topic, partitions } of topics) {
      for (const partition of partitions) this.paused[change](`${topic}:${partition}`);
    }
  }
}

export interface FetchedMessage {
  readonly offset: number | bigint;
  readonly key?: Buffer | null;
  readonly value?: Buffer | null;
  readonly timestamp?: number;
  readonly headers?: Record<string, Buffer | string | null | (Buffer | string | null)[]>;
}

/** What kafkajs gives a handler, with everything it did with it. */
export class FakePayload {
  readonly resolved: string[] = [];
  heartbeats: number[] = [];
  heartbeatFailure: Error | undefined;
  isRunning = true;
  isStale = false;

  constructor(
    readonly topic: string,
    readonly partition: number,
    readonly messages: readonly FetchedMessage[],
    private readonly options: {
      readonly fetchedOffset?: number | bigint;
      readonly lastOffset?: number | bigint;
      readonly now?: () => number;
    } = {},
  ) {}

  get payload(): EachBatchPayload {
    const messages = this.messages.map(
      ({ offset, key = null, value = Buffer.from('v'), timestamp = 1000, headers = {} }) =>
        ({
          offset: `${offset}`,
          key,
          value,
          timestamp: `${timestamp}`,
          headers,
          attributes: 0,
        }) as KafkaMessage,
    );
    const last = this.options.lastOffset ?? this.messages.at(-1)?.offset ?? 0;
    const batch = {
      topic: this.topic,
      partition: this.partition,
      messages,
      highWatermark: `${BigInt(last) + 1n}`,
      fetchedOffset: `${this.options.fetchedOffset ?? this.messages[0]?.offset ?? 0}`,
      lastOffset: () => `${last}`,
    } as unknown as PositionedBatch;
    return {
      batch,
      resolveOffset: (offset: string) => void this.resolved.push(offset),
      heartbeat: () => {
        this.heartbeats.push(this.options.now?.() ?? 0);
        return this.heartbeatFailure ? Promise.reject(this.heartbeatFailure) : Promise.resolve();
      },
      isRunning: () => this.isRunning,
      isStale: () => this.isStale,
    } as unknown as EachBatchPayload;
  }
}
