import { EventEmitter } from 'node:events';
import type { Level } from './pressure.js';
import type { TriggerChange } from './trigger.js';

export interface LevelChange {
  /** A stage (own pressure), or `pipeline` (overall). */
  readonly of: string;
  readonly from: Level;
  readonly to: Level;
  readonly pressure: number;
}

export interface ReactionChange {
  readonly stage: string;
  readonly creditFactor: number;
  readonly throttleDelayMs: number;
  /** The stage's own and effective pressure. */
  readonly pressure: number;
  readonly effectivePressure: number;
}

/** Credits that were given back though nobody held them: a defect of the caller, harmless here. */
export interface Surplus {
  readonly pool: string;
  readonly count: number;
}

/** A record that was refused inside a larger request, whose own answer may be a success. */
export interface RecordRefusal {
  readonly stage: string;
  /** Last part of the problem's type. */
  readonly reason: string;
  readonly signal: string;
}

/** What the controller tells; metrics and logs listen. A listener must not throw. */
export interface BackPressureEventMap {
  trigger: [TriggerChange];
  triggerCleared: [TriggerChange];
  level: [LevelChange];
  reaction: [ReactionChange];
  surplus: [Surplus];
  recordRefused: [RecordRefusal];
}

export class BackPressureEvents extends EventEmitter<BackPressureEventMap> {}
