import type { Clock, RandomSource, Timer } from '#libs/flow-control';

const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 30_000;
/** Whoever held so long has recovered: the next trouble starts from the shortest delay. */
const STEADY_AFTER_MS = 30_000;

export interface SupervisorOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  /** Connects and runs; rejects when that fails. `onCrash` may be called once later. */
  readonly connect: (onCrash: (error: Error) => void) => Promise<void>;
  /** Takes down what `connect` left, however far it came. Never rejects. */
  readonly disconnect: () => Promise<void>;
  readonly onRunning: () => void;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

/** Keeps one consumer running: tries until it connects, builds it anew after a crash, waits 1 s to 30 s in between. */
export class Supervisor {
  private attempt = 0;
  private runningSinceMs = 0;
  private timer: Timer | undefined;
  private isStopped = false;
  private step: Promise<void> = Promise.resolve();

  constructor(private readonly options: SupervisorOptions) {}

  start(): void {
    this.step = this.run();
  }

  /** Resolves when nothing is under way any more; the consumer is disconnected. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.step;
    await this.options.disconnect();
  }

  private async run(): Promise<void> {
    let crash: Error | undefined;
    let isConnecting = true;
    try {
      await this.options.connect((error) => {
        if (isConnecting) crash = error;
        else this.crashed(error);
      });
      // kafkajs calls a first join that failed a crash, and returns from its start as if nothing had happened.
      if (crash) throw crash;
      isConnecting = false;
      this.runningSinceMs = this.options.clock.now();
      if (!this.isStopped) this.options.onRunning();
    } catch (error) {
      await this.again(error);
    }
  }

  private crashed(error: Error): void {
    if (this.options.clock.now() - this.runningSinceMs >= STEADY_AFTER_MS) this.attempt = 0;
    this.step = this.again(error);
  }

  private async again(error: unknown): Promise<void> {
    if (this.isStopped) return;
    await this.options.disconnect();
    if (this.isStopped) return;
    const delayMs = this.nextDelayMs();
    this.options.onFailure(error, delayMs);
    this.timer = this.options.clock.setTimer(delayMs, () => this.start());
  }

  /** Doubles from 1 s to 30 s; up to a fifth less, so that replicas do not come together. */
  private nextDelayMs(): number {
    const delayMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** this.attempt);
    this.attempt += 1;
    return delayMs * (1 - this.options.random() / 5);
  }
}
