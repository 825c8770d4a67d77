import { type Clock, fullJitterBackoff, type RandomSource, sleep } from '#libs/flow-control';
import type { ConsumerClient } from './consumer-client.js';
import type { KafkaLogger } from './kafka-logger.js';
import { ensureTopics, TopicMismatchError, type TopicSpec } from './topics.js';

/** `waiting`: nobody answers. `failed`: the topics are not as configured. Both are looked at again. */
export type TopicCheckState = 'connecting' | 'waiting' | 'failed' | 'ready' | 'stopped';

export interface TopicCheckOptions {
  readonly specs: readonly TopicSpec[];
  /** Makes what is missing; off, a missing topic is a mismatch. */
  readonly create: boolean;
  /** Makes a new client for each look. */
  readonly createAdmin: () => ConsumerClient['admin'];
  /** The topics are there and as configured; called once. */
  readonly onReady: () => void;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: KafkaLogger;
}

const LOOK_AGAIN = { baseMs: 1000, maxMs: 30_000 } as const;

/**
 * Makes and checks topics before anything is sent to them, and looks again until they are right: a broker that is away
 * and a mismatch that an operator repairs end the same way. What it finds is logged when it is new.
 */
export class TopicCheck {
  private current: TopicCheckState = 'connecting';
  private problem: string | undefined;
  private readonly stopping = new AbortController();
  private admin: ConsumerClient['admin'] | undefined;
  private running: Promise<void> | undefined;

  constructor(private readonly options: TopicCheckOptions) {}

  get state(): TopicCheckState {
    return this.current;
  }

  /** Why it is not ready, as a sentence. */
  get detail(): string | undefined {
    return this.problem;
  }

  /** Returns at once. Idempotent. */
  start(): void {
    this.running ??= this.run();
  }

  /** Resolves when nothing is under way any more. Idempotent. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.current = 'stopped';
    // Ends the requests that are out; its own failure changes nothing any more.
    await this.admin?.disconnect().catch(() => undefined);
    await this.running;
  }

  private async run(): Promise<void> {
    const { clock, random, onReady } = this.options;
    const { signal } = this.stopping;
    const backoff = fullJitterBackoff({ ...LOOK_AGAIN, random });
    for (let look = 1; !signal.aborted; look += 1) {
      try {
        await this.look();
        if (signal.aborted) return;
        this.ready();
        onReady();
        return;
      } catch (error) {
        this.note(error);
      }
      // Rejects when it is stopped meanwhile, which the loop sees by itself.
      await sleep(clock, backoff.delayMs(look), signal).catch(() => undefined);
    }
  }

  private async look(): Promise<void> {
    const { specs, create, createAdmin, logger } = this.options;
    const admin = createAdmin();
    this.admin = admin;
    try {
      await admin.connect();
      await ensureTopics(admin, specs, { create, logger });
    } finally {
      this.admin = undefined;
      await admin.disconnect();
    }
  }

  private ready(): void {
    const { specs, logger } = this.options;
    const names = specs.map(({ name }) => name).join(', ');
    if (this.problem !== undefined) logger.info(`Topics are as configured now: ${names}.`);
    this.current = 'ready';
    this.problem = undefined;
  }

  private note(error: unknown): void {
    if (this.stopping.signal.aborted) return;
    const isMismatch = error instanceof TopicMismatchError;
    const state = isMismatch ? 'failed' : 'waiting';
    const problem = error instanceof Error ? error.message : String(error);
    const isNew = isMismatch ? problem !== this.problem : state !== this.current;
    this.current = state;
    this.problem = problem;
    if (!isNew) return;
    if (isMismatch) this.options.logger.error(`${problem}. Looked at again until they agree.`);
    else
      this.options.logger.warn(`No Kafka broker answers: ${problem}. Tried again until one does.`);
  }
}
