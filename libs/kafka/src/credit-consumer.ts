import { TokenBucket } from '#libs/flow-control';
import type { AssignedPartition } from './assigned-partition.js';
import { Assignment } from './assignment.js';
import { BookKeeper } from './book-keeper.js';
import type { ConsumerClient } from './consumer-client.js';
import { awaitCompletions } from './drain.js';
import { HandOffLoop } from './hand-off-loop.js';
import { Heart } from './heart.js';
import { createConsumerClient } from './kafka-clients.js';
import {
  type KafkaBooks,
  KafkaSource,
  type KafkaSourceSnapshot,
  type PartitionLag,
  type SourceHandler,
} from './kafka-source.js';
import {
  consumerProblems,
  type KafkaSourceOptions,
  refuse,
  SOURCE_TIMING,
  type SourceTiming,
} from './kafka.options.js';
import { LagMonitor } from './lag-monitor.js';
import { PauseSet } from './pause-set.js';
import { runConsumer } from './run-consumer.js';
import { newCounters } from './source-counters.js';
import { KafkaSourceEvents, type SourceState } from './source-events.js';
import { logSourceEvents } from './source-log.js';
import { StallWatch } from './stall-watch.js';
import { Supervisor } from './supervisor.js';
import { TopicMismatchError } from './topics.js';

/** Longest drain before a rejoin; the group waits for us meanwhile. */
const MAX_REJOIN_DRAIN_MS = 10_000;
/** For the last flush and commit of a stop; after that the next owner reads a little again. */
const LAST_COMMIT_MS = 5000;

/** What exists once the source has a handler and books. */
interface Running {
  readonly assignment: Assignment;
  readonly keeper: BookKeeper;
  readonly loop: HandOffLoop;
  readonly stalls: StallWatch;
  readonly lag: LagMonitor;
  readonly supervisor: Supervisor;
}

/**
 * The Kafka source on kafkajs: takes records as credits allow, and commits what the books hold.
 *
 * Flows: kafkajs → `HandOffLoop` → handler; completions → watermark → `BookKeeper` → books → group.
 * States: stopped → connecting ⇄ waiting | failed → running → draining → stopped. `waiting` and `failed` go on alone.
 *
 * S1  An offset is committed only when the books hold everything below it (K2 of the book keeper).
 * S2  A drain comes before every rejoin that kafkajs announces and before every stop; it never outlasts its deadline,
 *     and ends at once when no completion arrives.
 */
export class CreditConsumer extends KafkaSource {
  readonly events = new KafkaSourceEvents();
  private readonly counters = newCounters();
  private readonly timing: SourceTiming;
  private readonly pauses: PauseSet;
  private client: ConsumerClient | undefined;
  private running: Running | undefined;
  private state: SourceState = 'stopped';
  private detail: string | undefined;
  private completed = 0;
  private stopping: Promise<void> | undefined;

  /** Throws `KafkaOptionsError` when the options break a rule. */
  constructor(
    private readonly options: KafkaSourceOptions,
    private readonly createClient: () => ConsumerClient = () =>
      createConsumerClient(this.options, this.timing),
  ) {
    super();
    this.timing = { ...SOURCE_TIMING, ...options.timing };
    refuse(consumerProblems(options.tuning, this.timing));
    this.pauses = new PauseSet(options.clock, this.events, this.counters);
    logSourceEvents(this.events, options.logger);
  }

  start(handler: SourceHandler, books: KafkaBooks): void {
    if (this.running) throw new TypeError('The Kafka source was started before.');
    this.running = this.compose(handler, books);
    this.become('connecting');
    this.running.supervisor.start();
  }

  pause(reason: string, lane?: number): void {
    this.pauses.add(reason, lane);
    this.pauses.apply(this.client?.consumer, this.partitions());
  }

  resume(reason: string, lane?: number): void {
    this.pauses.remove(reason, lane);
    this.pauses.apply(this.client?.consumer, this.partitions());
  }

  async drain(deadlineMs: number): Promise<void> {
    if (!this.running || this.stopping) return;
    this.become('draining');
    await this.settle(deadlineMs);
  }

  stop(): Promise<void> {
    this.stopping ??= this.end();
    return this.stopping;
  }

  lag(): readonly PartitionLag[] {
    return this.running?.lag.lag() ?? [];
  }

  snapshot(): KafkaSourceSnapshot {
    const partitions = [...this.partitions()];
    return {
      state: this.state,
      detail: this.detail,
      inFlight: this.inFlight(),
      waitingBytes: partitions.reduce((sum, { waitingBytes }) => sum + waitingBytes, 0),
      partitions: partitions.map(({ topic, partition, lane, incarnation, mark }) => ({
        topic,
        partition,
        lane,
        incarnation,
        low: mark?.low,
        next: mark?.next,
        inFlight: mark?.inFlight ?? 0,
        pausedFor: this.pauses.reasons(lane),
        pausedMs: this.pauses.pausedMs(lane),
      })),
      counters: { ...this.counters },
    };
  }

  private compose(handler: SourceHandler, books: KafkaBooks): Running {
    const { options, timing, events, counters, pauses } = this;
    const { clock, random, tuning, groupId, topics, pipelineRecords } = options;
    const own = { clock, events, counters, pauses };
    const assigned = (): Iterable<AssignedPartition> => assignment.all();
    const assignment = new Assignment({
      ...own,
      books,
      groupId,
      topics,
      pipelineRecords,
      start: options.start ?? 'earliest',
      endBelowLowMs: timing.endBelowLowMs,
      keeper: () => keeper,
    });
    const keeper = new BookKeeper({
      ...own,
      books,
      assigned,
      commit: async (offsets) => {
        if (!this.client) throw new Error('There is no connection.');
        await this.client.consumer.commitOffsets(offsets);
      },
      onFenced: (partition) => {
        if (partition.mark?.isClosed !== false) return;
        counters.fenced += 1;
        events.emit('fenced', { topic: partition.topic, partition: partition.partition });
        assignment.restart(partition);
      },
    });
    const stalls = new StallWatch({
      ...own,
      ...timing,
      assigned,
      client: () => this.client?.consumer,
      headroom: () => handler.headroom(),
    });
    const heart = new Heart({
      ...own,
      sessionTimeoutMs: tuning.sessionTimeoutMs,
      beforeRejoin: () => this.settle(Math.min(MAX_REJOIN_DRAIN_MS, tuning.sessionTimeoutMs / 3)),
    });
    const loop = new HandOffLoop({
      ...own,
      ...timing,
      handler,
      assignment,
      heart,
      stalls,
      maxRecordsPerTurn: tuning.maxRecordsPerTurn,
      rate: new TokenBucket({ ratePerSecond: options.maxRecordsPerSecond ?? 0, clock }),
      onDone: (partition, count) => {
        this.completed += count;
        keeper.touch(partition);
        partition.roomChanged();
      },
    });
    const lag = new LagMonitor({
      clock,
      assigned,
      ends: (topic) => this.ends(topic),
      onTrouble: (error) => events.emit('trouble', { during: 'the look at the lag', error }),
    });
    const supervisor = new Supervisor({
      clock,
      random,
      connect: async (onCrash) => {
        const client = this.createClient();
        this.client = client;
        await runConsumer(client, {
          options,
          assignment,
          heart,
          eachBatch: loop.eachBatch,
          onJoin: () => this.state !== 'draining' && loop.open(),
          onCrash: (error) => {
            counters.crashes += 1;
            events.emit('crash', error);
            onCrash(error);
          },
        });
      },
      disconnect: () => this.disconnect(assignment),
      onRunning: () => this.become('running'),
      onFailure: (error, retryInMs) => this.explain(error, retryInMs),
    });
    return { assignment, keeper, loop, stalls, lag, supervisor };
  }

  private partitions(): Iterable<AssignedPartition> {
    return this.running?.assignment.all() ?? [];
  }

  private inFlight(): number {
    let sum = 0;
    for (const { mark } of this.partitions()) sum += mark?.inFlight ?? 0;
    return sum;
  }

  private become(to: SourceState, detail?: string): void {
    const from = this.state;
    if (from === 'draining' && to !== 'stopped') return;
    this.state = to;
    this.detail = detail;
    this.events.emit('state', { from, to, detail });
  }

  private explain(error: unknown, retryInMs: number): void {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof TopicMismatchError) this.become('failed', message);
    else {
      this.become('waiting', `${message}; tried again in ${Math.round(retryInMs)} ms`);
    }
  }

  /** Hands off nothing more, waits while completions arrive, keeps and commits what is done. */
  private async settle(deadlineMs: number): Promise<void> {
    const { running } = this;
    if (!running) return;
    running.loop.close();
    const { clock } = this.options;
    const progress = { clock, inFlight: () => this.inFlight(), completed: () => this.completed };
    await awaitCompletions(progress, deadlineMs);
    if (!(await running.keeper.flush()) || !this.client) return;
    await this.atMost(LAST_COMMIT_MS, running.keeper.commit());
  }

  private async end(): Promise<void> {
    const { running } = this;
    if (!running) return;
    running.loop.close();
    // Before the consumer stops: afterwards kafkajs does nothing and reports success.
    await this.atMost(LAST_COMMIT_MS, running.keeper.flush());
    if (this.client) await this.atMost(LAST_COMMIT_MS, running.keeper.commit());
    running.keeper.stop();
    running.stalls.stop();
    running.lag.stop();
    await running.supervisor.stop();
    this.become('stopped');
  }

  private atMost(ms: number, promise: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.options.clock.setTimer(ms, resolve);
      void promise.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  private ends(topic: string): Promise<ReadonlyMap<number, bigint>> | undefined {
    return this.client?.admin
      .fetchTopicOffsets(topic)
      .then((offsets) => new Map(offsets.map(({ partition, high }) => [partition, BigInt(high)])));
  }

  private async disconnect(assignment: Assignment): Promise<void> {
    const { client } = this;
    this.client = undefined;
    assignment.left();
    if (!client) return;
    const results = await Promise.allSettled([
      client.consumer.disconnect(),
      client.admin.disconnect(),
    ]);
    for (const result of results) {
      // The connection is gone either way.
      if (result.status === 'rejected') {
        this.events.emit('trouble', { during: 'the disconnect', error: result.reason });
      }
    }
  }
}
