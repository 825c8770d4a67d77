import type { INestApplicationContext } from '@nestjs/common';

/** Ctrl-C under npm reaches Node twice, from the terminal and from npm: so soon it is the same wish. */
const SAME_WISH_MS = 1000;

export const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
export type StopSignal = (typeof STOP_SIGNALS)[number];

/** The part of `process` that is needed. */
export interface SignalSource {
  readonly pid: number;
  on(signal: StopSignal, listener: (signal: StopSignal) => void): unknown;
  kill(pid: number, signal: StopSignal): unknown;
}

/**
 * SIGTERM and SIGINT, from the first moment of the process.
 *
 * The first one drains: during the start it is kept until there is an application to drain. A second one, more than a
 * second later, means "at once".
 */
export class StopSignals {
  private first: { readonly signal: StopSignal; readonly atMs: number } | undefined;

  constructor(
    private readonly source: SignalSource,
    private readonly onSecond: (signal: StopSignal) => void,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    for (const signal of STOP_SIGNALS) source.on(signal, (received) => this.received(received));
  }

  /** From here on the application's shutdown hooks answer; a signal that came before is given to them. */
  handTo(app: Pick<INestApplicationContext, 'enableShutdownHooks'>): void {
    app.enableShutdownHooks([...STOP_SIGNALS], { useProcessExit: true });
    if (this.first !== undefined) this.source.kill(this.source.pid, this.first.signal);
  }

  private received(signal: StopSignal): void {
    const atMs = this.nowMs();
    if (this.first === undefined) this.first = { signal, atMs };
    else if (atMs - this.first.atMs >= SAME_WISH_MS) this.onSecond(signal);
  }
}
