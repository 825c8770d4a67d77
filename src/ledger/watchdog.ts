import { type Clock, sleep, type Timer } from '#libs/flow-control';
import { asError } from './sql-state.js';

/** A statement older than this makes the watchdog ask whether the server is there. */
const SUSPICIOUS_AFTER_MS = 500;
/** No answer to `SELECT 1` on an idle connection for this long: away. */
const PROBE_TIMEOUT_MS = 400;
/** A server that answers may take this long for a flush; then its back end is stuck. */
const TOO_SLOW_AFTER_MS = 5_000;
/** While nothing is under way, so that the first request after a loss is refused at once. */
const IDLE_PROBE_MS = 2_000;

export interface WatchdogOptions {
  readonly clock: Clock;
  /** Asks the server for a sign of life. */
  readonly probe: () => Promise<unknown>;
  /** The server gave none, or the connection is gone. Told once per `start`. */
  readonly onAway: (error: Error) => void;
}

/** The eye on one statement. */
export interface Watch {
  /** The statement has ended, one way or the other. */
  done(): void;
}

/**
 * Decides whether the database is away or just slow. Neither a statement timeout (the server must be alive to time out)
 * nor a query timeout (it fails a live statement, which then commits) can.
 *
 * W1 a statement older than 500 ms starts a probe; no answer within 400 ms: away.
 * W2 an answer: wait on, and ask again every 500 ms.
 * W3 a statement that may not take long is reported too slow, once, after 5 s.
 * W4 with nothing under way the probe runs every 2 s.
 */
export class Watchdog {
  private idleTimer: Timer | undefined;
  private probing: Promise<boolean> | undefined;
  /** Odd while running; a probe of an earlier run says nothing about this one. */
  private run = 0;

  constructor(private readonly options: WatchdogOptions) {}

  start(): void {
    this.stop();
    this.run += 1;
    this.scheduleIdle();
  }

  /** Idempotent. */
  stop(): void {
    if (!this.isRunning) return;
    this.run += 1;
    this.probing = undefined;
    this.idleTimer?.cancel();
  }

  /** Watches a statement that is being sent now. */
  watch(onTooSlow?: () => void): Watch {
    const { clock } = this.options;
    const sentAtMs = clock.now();
    let isDone = false;
    let isReported = false;
    const look = async (): Promise<void> => {
      const isThere = await this.isThere();
      if (isDone || !isThere) return;
      if (!isReported && clock.now() - sentAtMs >= TOO_SLOW_AFTER_MS) {
        isReported = true;
        onTooSlow?.();
      }
      timer = clock.setTimer(SUSPICIOUS_AFTER_MS, () => void look());
    };
    let timer = clock.setTimer(SUSPICIOUS_AFTER_MS, () => void look());
    return {
      done: () => {
        isDone = true;
        timer.cancel();
      },
    };
  }

  private get isRunning(): boolean {
    return this.run % 2 === 1;
  }

  private scheduleIdle(): void {
    const { run } = this;
    this.idleTimer = this.options.clock.setTimer(IDLE_PROBE_MS, () => {
      void this.isThere().then(() => {
        if (run === this.run) this.scheduleIdle();
      });
    });
  }

  /** One probe at a time, shared by all who ask. */
  private isThere(): Promise<boolean> {
    if (!this.isRunning) return Promise.resolve(false);
    this.probing ??= this.ask(this.run);
    return this.probing;
  }

  private async ask(run: number): Promise<boolean> {
    const { clock, probe, onAway } = this.options;
    const answered = new AbortController();
    try {
      const silence = sleep(clock, PROBE_TIMEOUT_MS, answered.signal).then(() => {
        throw new Error(`The database gave no sign of life for ${PROBE_TIMEOUT_MS} ms.`);
      });
      await Promise.race([probe(), silence]);
      return true;
    } catch (error) {
      if (run === this.run) {
        this.stop();
        onAway(asError(error));
      }
      return false;
    } finally {
      answered.abort();
      if (run === this.run) this.probing = undefined;
    }
  }
}
