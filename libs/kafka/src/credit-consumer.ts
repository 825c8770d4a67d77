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
/** For telling a broker goodbye; one that does not answer takes us out of the group after the session. */
const LEAVE_MS = 3000;

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
 * S1  An offset is committed only when the books hold everything below it (K2 of the book keeper), unless transactions
 *     commit it with what became of the records.
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
    const { clock } = this.options;
    const assignment = this.createAssignment(books);
    const keeper = this.createKeeper(books, assignment);
    const stalls = new StallWatch({
      ...this.own,
      ...this.timing,
      assigned: () => assignment.all(),
      client: () => this.client?.consumer,
      headroom: () => handler.headroom(),
    });
    const heart = this.createHeart();
    const loop = this.createLoop(handler, { assignment, keeper, stalls, heart });
    const lag = new LagMonitor({
      clock,
      assigned: () => assignment.all(),
      ends: (topic) => this.ends(topic),
      onTrouble: (error) => this.events.emit('trouble', { during: 'the look at the lag', error }),
    });
    const supervisor = this.createSupervisor({ assignment, keeper, heart, loop });
    return { assignment, keeper, loop, stalls, lag, supervisor };
  }

  private createAssignment(books: KafkaBooks): Assignment {
    return new Assignment({
      start: 'earliest',
      ...this.options,
      ...this.own,
      books,
      endBelowLowMs: this.timing.endBelowLowMs,
      touch: (partition) => this.running?.keeper.touch(partition),
    });
  }

  private createKeeper(books: KafkaBooks, assignment: Assignment): BookKeeper {
    return new BookKeeper({
      ...this.own,
      books,
      assigned: () => assignment.all(),
      commit: async (offsets) => {
        const committer = this.options.transactions ?? this.client?.consumer;
        if (!committer) throw new Error('There is no connection.');
        await committer.commitOffsets([...offsets]);
      },
      onFenced: (partition) => {
        if (partition.mark?.isClosed !== false) return;
        const { topic, partition: id } = partition;
        this.counters.fenced += 1;
        this.events.emit('fenced', { topic, partition: id });
        assignment.restart(partition);
      },
    });
  }

  private createHeart(): Heart {
    const { sessionTimeoutMs } = this.options.tuning;
    return new Heart({
      ...this.own,
      sessionTimeoutMs,
      beforeRejoin: () => this.settle(Math.min(MAX_REJOIN_DRAIN_MS, sessionTimeoutMs / 3)),
    });
  }

  private createLoop(
    handler: SourceHandler,
    parts: Pick<Running, 'assignment' | 'keeper' | 'stalls'> & { readonly heart: Heart },
  ): HandOffLoop {
    const { clock, tuning, maxRecordsPerSecond: ratePerSecond = 0 } = this.options;
    const { assignment, stalls, heart, keeper } = parts;
    return new HandOffLoop({
      ...this.own,
      ...this.timing,
      handler,
      assignment,
      heart,
      stalls,
      maxRecordsPerTurn: tuning.maxRecordsPerTurn,
      rate: new TokenBucket({ ratePerSecond, clock }),
      onDone: (partition, count) => {
        this.completed += count;
        keeper.touch(partition);
        partition.roomChanged();
      },
    });
  }

  private createSupervisor(
    parts: Pick<Running, 'assignment' | 'keeper' | 'loop'> & { readonly heart: Heart },
  ): Supervisor {
    const { options } = this;
    const { assignment, keeper, heart, loop } = parts;
    return new Supervisor({
      clock: options.clock,
      random: options.random,
      connect: async (onCrash) => {
        this.client = this.createClient();
        await runConsumer(this.client, {
          options,
          assignment,
          heart,
          eachBatch: loop.eachBatch,
          onJoin: () => this.state !== 'draining' && loop.open(),
          onPassed: (partition) => keeper.touch(partition),
          onCrash: (error) => {
            this.counters.crashes += 1;
            this.events.emit('crash', error);
            onCrash(error);
          },
        });
      },
      disconnect: () => this.disconnect(assignment),
      onRunning: () => this.become('running'),
      onFailure: (error, retryInMs) => this.explain(error, retryInMs),
    });
  }

  /** What nearly every part needs. */
  private get own() {
    const { events, counters, pauses } = this;
    return { clock: this.options.clock, events, counters, pauses };
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
    const leave = [client.consumer.disconnect(), client.admin.disconnect()].map((each) =>
      // The connection is gone either way.
      each.catch((error: unknown) =>
        this.events.emit('trouble', { during: 'the disconnect', error }),
      ),
    );
    await this.atMost(LEAVE_MS, Promise.all(leave));
  }
}
