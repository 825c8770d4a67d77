import type { Clock, CreditPool, Timer } from '#libs/flow-control';
import type { BackPressureEvents } from './back-pressure.events.js';
import {
  type Bottleneck,
  bottleneckOf,
  effectivePressures,
  type Level,
  levelOf,
  ownPressure,
  rounded,
  type StageInputs,
  type StagePressure,
} from './pressure.js';
import type { ProcessInputs, ProcessReading } from './process-inputs.js';
import { creditFactor, throttleDelayMs, type Thresholds } from './reactions.js';
import type { StageState } from './stage-state.js';

export interface StageAssessment extends StagePressure {
  readonly effective: number;
  readonly level: Level;
}

/** What a pass found out. */
export interface Assessment {
  readonly stages: readonly StageAssessment[];
  readonly process: ProcessReading;
  readonly pressure: number;
  readonly meanPressure: number;
  readonly level: Level;
  readonly bottleneck: Bottleneck | undefined;
}

export interface PressureLoopOptions {
  readonly stages: readonly StageState[];
  readonly pipeline: CreditPool;
  readonly process: ProcessInputs;
  readonly thresholds: Thresholds;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly events: BackPressureEvents;
}

/**
 * The loop: inputs → pressures → reactions, every interval and at once on a trigger.
 *
 * Between two passes everybody sees what the last one found (`latest`). A trigger raised during a pass starts no second one.
 */
export class PressureLoop {
  latest: Assessment;
  private state: 'resting' | 'passing' = 'resting';
  private timer: Timer | undefined;
  private toldDelays: number[];
  private readonly seenSurplus = new Map<string, number>();

  constructor(private readonly options: PressureLoopOptions) {
    this.toldDelays = options.stages.map(() => 0);
    this.latest = this.assess();
  }

  /** Idempotent. */
  start(): void {
    if (this.timer !== undefined) return;
    this.schedule();
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  pass(): void {
    if (this.state === 'passing') return;
    this.state = 'passing';
    try {
      const before = this.latest;
      this.latest = this.assess();
      this.react();
      this.tellLevels(before, this.latest);
      this.tellSurplus();
      this.options.stages.forEach((stage, i) => stage.settle(this.stage(i).inputs));
    } finally {
      this.state = 'resting';
    }
  }

  stage(index: number): StageAssessment {
    const stage = this.latest.stages[index];
    if (stage === undefined) throw new RangeError(`There is no stage ${index}`);
    return stage;
  }

  private schedule(): void {
    const { clock, intervalMs } = this.options;
    this.timer = clock.setTimer(intervalMs, () => {
      this.schedule();
      this.pass();
    });
  }

  private assess(): Assessment {
    const { pipeline, stages } = this.options;
    const { outstanding, capacity } = pipeline.snapshot().bytes;
    const process = this.options.process.read(outstanding / capacity);
    const own = stages.map((stage): StagePressure => {
      const inputs: StageInputs = stage.inputs();
      const { id, weights } = stage.spec;
      const { isHeld } = stage;
      return { stage: id, own: ownPressure(weights, inputs), isHeld, weights, inputs };
    });
    const effective = effectivePressures(own.map((stage) => stage.own));
    effective[0] = Math.max(effective[0] ?? 0, process.throttling);
    const pressure = Math.max(...effective, process.memory, process.network);
    return {
      stages: own.map((stage, i) => ({
        ...stage,
        effective: effective[i] ?? 0,
        level: levelOf(stage.own),
      })),
      process,
      pressure,
      meanPressure: rounded(own.reduce((sum, stage) => sum + stage.own, 0) / own.length),
      level: levelOf(pressure),
      bottleneck: bottleneckOf(own, process),
    };
  }

  private react(): void {
    const { stages, thresholds, events } = this.options;
    stages.forEach((state, i) => {
      const { stage, own, effective } = this.stage(i);
      const factor = creditFactor(own, state.creditFactor, thresholds);
      const delayMs = throttleDelayMs(effective, state.trigger.isRaised, thresholds);
      const isSame = factor === state.creditFactor && delayMs === this.toldDelays[i];
      if (isSame) return;
      state.react(factor);
      this.toldDelays[i] = delayMs;
      events.emit('reaction', {
        stage,
        creditFactor: factor,
        throttleDelayMs: delayMs,
        pressure: own,
        effectivePressure: effective,
      });
    });
  }

  private tellLevels(before: Assessment, after: Assessment): void {
    const { events } = this.options;
    const tell = (of: string, from: Level, to: Level, pressure: number): void => {
      if (from !== to) events.emit('level', { of, from, to, pressure });
    };
    after.stages.forEach(({ stage, level, own }, i) =>
      tell(stage, before.stages[i]?.level ?? level, level, own),
    );
    tell('pipeline', before.level, after.level, after.pressure);
  }

  private tellSurplus(): void {
    const { stages, pipeline, events } = this.options;
    for (const pool of [...stages.map((stage) => stage.pool), pipeline]) {
      const { name, surplus } = pool.snapshot();
      const count = surplus - (this.seenSurplus.get(name) ?? 0);
      this.seenSurplus.set(name, surplus);
      if (count > 0) events.emit('surplus', { pool: name, count });
    }
  }
}
