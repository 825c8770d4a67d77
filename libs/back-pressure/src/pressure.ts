/**
 * Pressure, as pure arithmetic: inputs of a stage → weighted sum → level, propagation, bottleneck.
 *
 * V1 effective ≥ own: a stage is never better off than 0.9 × the stage behind it.
 * V2 nothing here has a memory, so reading changes nothing.
 * V3 ratios are compared after rounding to 1e-9: 0.6 + 0.3 + 0.1 is not 0.9999999999999999.
 */

/** Shares of a stage's inputs in its own pressure; absent = 0. `queueOrCredit` weighs the larger of the two. */
export interface PressureWeights {
  readonly queue?: number;
  readonly credit?: number;
  readonly queueOrCredit?: number;
  readonly latency?: number;
  readonly error?: number;
}

/** An input as a part of its bound. */
export interface Input {
  /** 0..1 */
  readonly ratio: number;
  readonly value: number;
  readonly bound: number;
  /** What is measured, for the sentence. */
  readonly what: string;
}

export interface StageInputs {
  readonly queue: Input;
  readonly credit: Input;
  readonly latency: Input;
  readonly error: Input;
  /** How long nothing came out while work was inside, when that is longer than legal; else 0. */
  readonly stuckMs: number;
}

export const LEVELS = ['healthy', 'moderate', 'high', 'critical'] as const;
export type Level = (typeof LEVELS)[number];

/** The one scale of words; the thresholds of the reactions are settings, these are not. */
const MODERATE_FROM = 0.3;
const HIGH_FROM = 0.6;
const CRITICAL_FROM = 0.8;

/** Share of a stage's pressure that reaches the stage before it. */
const PROPAGATED_SHARE = 0.9;

/** From here a stage is the cause of the pressure before it. */
const BOTTLENECK_FROM = 0.6;

const DECIMALS = 1e9;

export function rounded(value: number): number {
  return Math.round(value * DECIMALS) / DECIMALS;
}

/** Part of the way from `low` to `high`, 0..1. */
export function scale(value: number, low: number, high: number): number {
  return Math.min(1, Math.max(0, (value - low) / (high - low)));
}

/** `value / bound` as an input, at most 1. */
export function inputOf(what: string, value: number, bound: number): Input {
  return { what, value, bound, ratio: rounded(Math.min(1, value / bound)) };
}

interface Term {
  readonly signal: Signal;
  readonly input: Input;
  readonly share: number;
}

export type Signal = 'queue' | 'credit' | 'latency' | 'error';

function termsOf(weights: PressureWeights, inputs: StageInputs): Term[] {
  const { queue, credit, latency, error } = inputs;
  const larger: Signal = credit.ratio > queue.ratio ? 'credit' : 'queue';
  const weighted: [Signal, number | undefined][] = [
    ['queue', weights.queue],
    ['credit', weights.credit],
    [larger, weights.queueOrCredit],
    ['latency', weights.latency],
    ['error', weights.error],
  ];
  const byName = { queue, credit, latency, error };
  return weighted.flatMap(([signal, weight]) =>
    weight === undefined
      ? []
      : [{ signal, input: byName[signal], share: rounded(weight * byName[signal].ratio) }],
  );
}

/** The weighted sum of a stage's inputs; 1 when it is stuck. */
export function ownPressure(weights: PressureWeights, inputs: StageInputs): number {
  if (inputs.stuckMs > 0) return 1;
  const sum = termsOf(weights, inputs).reduce((total, term) => total + term.share, 0);
  return Math.min(1, rounded(sum));
}

export function levelOf(pressure: number): Level {
  const value = rounded(pressure);
  if (value >= CRITICAL_FROM) return 'critical';
  if (value >= HIGH_FROM) return 'high';
  return value >= MODERATE_FROM ? 'moderate' : 'healthy';
}

/** What each stage feels of itself and of those behind it. Upstream to downstream, as the input. */
export function effectivePressures(own: readonly number[]): number[] {
  const effective = [...own];
  for (let stage = effective.length - 2; stage >= 0; stage -= 1) {
    const behind = PROPAGATED_SHARE * (effective[stage + 1] ?? 0);
    effective[stage] = rounded(Math.max(effective[stage] ?? 0, behind));
  }
  return effective;
}

export interface Bottleneck {
  /** A stage, or `process` when memory or the event loop alone is the cause. */
  readonly stage: string;
  readonly signal: Signal | 'stuck' | 'memory' | 'network';
  /** The input behind the signal, 0..1. */
  readonly value: number;
  readonly sentence: string;
}

export interface StagePressure {
  readonly stage: string;
  readonly own: number;
  /**
   * A reaction is in force and the pool is full to the limit it left. Then the stage is still what holds the others
   * back, though the shorter queue reads as less pressure.
   */
  readonly isHeld: boolean;
  readonly weights: PressureWeights;
  readonly inputs: StageInputs;
}

export interface ProcessPressure {
  readonly memory: number;
  readonly network: number;
}

/**
 * The most downstream stage whose own pressure is high, or is held low by its reaction: a slow sink fills every pool before it, so the highest pressure
 * would name the Gateway.
 */
export function bottleneckOf(
  stages: readonly StagePressure[],
  process: ProcessPressure,
): Bottleneck | undefined {
  const cause = stages.findLast(({ own, isHeld }) => isHeld || own >= BOTTLENECK_FROM);
  return cause === undefined ? processBottleneck(process) : stageBottleneck(cause);
}

function stageBottleneck({ stage, own, weights, inputs }: StagePressure): Bottleneck {
  const { stuckMs } = inputs;
  if (stuckMs > 0) {
    const sentence = `${stage}: work is inside and nothing came out for ${Math.round(stuckMs)} ms`;
    return { stage, signal: 'stuck', value: 1, sentence };
  }
  const { signal, input, share } = termsOf(weights, inputs).reduce((largest, term) =>
    term.share > largest.share ? term : largest,
  );
  const level = `${Math.round(input.value)}/${Math.round(input.bound)}`;
  const sentence = `${stage}: ${input.what} ${level} (${share.toFixed(2)} of ${own.toFixed(2)})`;
  return { stage, signal, value: input.ratio, sentence };
}

function processBottleneck({ memory, network }: ProcessPressure): Bottleneck | undefined {
  const value = Math.max(memory, network);
  if (value < BOTTLENECK_FROM) return undefined;
  const signal = memory >= network ? 'memory' : 'network';
  return { stage: 'process', signal, value, sentence: `process: ${signal} ${value.toFixed(2)}` };
}
