import type { Clock } from '#libs/flow-control';
import { rounded } from './pressure.js';

export interface TriggerChange {
  readonly stage: string;
  readonly signal: string;
  readonly value: number;
  readonly threshold: number;
}

export interface TriggerOptions {
  readonly stage: string;
  readonly signal: string;
  readonly threshold: number;
  /** `reached`: raised at the threshold; `exceeded`: above it. */
  readonly raisedWhen: 'reached' | 'exceeded';
  /** At most one event is told per this time. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly onRaised: (change: TriggerChange) => void;
  readonly onCleared: (change: TriggerChange) => void;
}

/** A raised trigger clears at this share of its threshold. */
const CLEAR_SHARE = 0.9;

/**
 * A value that crosses a threshold. It is raised at the crossing and clears at 90 % of it; a value that swings around
 * the threshold is told once per interval, and a clearing only when its raising was told.
 */
export class Trigger {
  private state: 'clear' | 'raised' | 'raised-untold' = 'clear';
  private toldMs = -Infinity;
  private threshold: number;
  private clearAt: number;

  constructor(private readonly options: TriggerOptions) {
    this.threshold = options.threshold;
    this.clearAt = clearAtOf(options.threshold);
  }

  get isRaised(): boolean {
    return this.state !== 'clear';
  }

  /** Takes another threshold; it counts from the next value on. */
  moveTo(threshold: number): void {
    this.threshold = threshold;
    this.clearAt = clearAtOf(threshold);
  }

  /** Called with every new value, also on the hot path. */
  update(value: number): void {
    const { threshold } = this;
    const { raisedWhen } = this.options;
    if (this.state !== 'clear') {
      if (value <= this.clearAt) this.clear(value);
    } else if (value > threshold || (raisedWhen === 'reached' && value === threshold)) {
      this.raise(value);
    }
  }

  private raise(value: number): void {
    const { threshold } = this;
    const { stage, signal, intervalMs, clock, onRaised } = this.options;
    const nowMs = clock.now();
    this.state = 'raised-untold';
    if (nowMs - this.toldMs < intervalMs) return;
    this.state = 'raised';
    this.toldMs = nowMs;
    onRaised({ stage, signal, value, threshold });
  }

  private clear(value: number): void {
    const { threshold } = this;
    const { stage, signal, onCleared } = this.options;
    const wasTold = this.state === 'raised';
    this.state = 'clear';
    if (wasTold) onCleared({ stage, signal, value, threshold });
  }
}

function clearAtOf(threshold: number): number {
  return rounded(threshold * CLEAR_SHARE);
}
