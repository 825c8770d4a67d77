import { DEFAULT_WEIGHTS } from './back-pressure.options.js';
import {
  bottleneckOf,
  effectivePressures,
  type Input,
  inputOf,
  levelOf,
  ownPressure,
  type PressureWeights,
  scale,
  type StageInputs,
  type StagePressure,
} from './pressure.js';

const input = (ratio: number): Input => ({ ratio, value: ratio * 1000, bound: 1000, what: 'x' });

function inputs(
  ratios: Partial<Record<'queue' | 'credit' | 'latency' | 'error', number>>,
): StageInputs {
  const { queue = 0, credit = 0, latency = 0, error = 0 } = ratios;
  return {
    queue: input(queue),
    credit: input(credit),
    latency: input(latency),
    error: input(error),
    stuckMs: 0,
  };
}

const AT_REST = { memory: 0, network: 0 };

describe('ownPressure', () => {
  it.each<[keyof typeof DEFAULT_WEIGHTS, Parameters<typeof inputs>[0], number, string]>([
    ['Gateway', { queue: 0.9, credit: 0.3, latency: 1 }, 0.92, 'critical'],
    ['Gateway', { queue: 0.7 }, 0.56, 'moderate'],
    ['KeyGen', { queue: 0.5, credit: 0.4, latency: 0.1 }, 0.43, 'moderate'],
    ['IngressProcessing', { queue: 0.8, credit: 0.8, error: 0.5 }, 0.74, 'high'],
    ['AsyncEgress', { credit: 1, latency: 1 }, 0.8, 'critical'],
    ['FinalSink', { queue: 0.9, credit: 0.6 }, 0.81, 'critical'],
  ])('weighs the inputs of %s: %j is %d, %s', (stage, ratios, own, level) => {
    const pressure = ownPressure(DEFAULT_WEIGHTS[stage], inputs(ratios));
    expect(pressure).toBe(own);
    expect(levelOf(pressure)).toBe(level);
  });

  it('is exactly 1 when every input is full, whatever the weights add up to in binary', () => {
    const full = inputs({ queue: 1, credit: 1, latency: 1, error: 1 });
    expect(ownPressure(DEFAULT_WEIGHTS.KeyGen, full)).toBe(1);
  });

  it('is 1 for a stage that is stuck, whatever its inputs', () => {
    expect(ownPressure(DEFAULT_WEIGHTS.FinalSink, { ...inputs({}), stuckMs: 4000 })).toBe(1);
  });
});

describe('levelOf', () => {
  it.each([
    [0.299, 'healthy'],
    [0.3, 'moderate'],
    [0.599, 'moderate'],
    [0.6, 'high'],
    [0.799, 'high'],
    [0.8, 'critical'],
    [0.6 + 0.1 + 0.1, 'critical'],
  ])('calls %d %s', (pressure, level) => {
    expect(levelOf(pressure)).toBe(level);
  });
});

describe('effectivePressures', () => {
  it('passes 0.9 of a dead sink to each stage before it', () => {
    expect(effectivePressures([0.1, 0.2, 0.3, 0.4, 1])).toEqual([0.6561, 0.729, 0.81, 0.9, 1]);
  });

  it('leaves a stage its own pressure when that is larger (V1)', () => {
    expect(effectivePressures([0.95, 0, 0.5, 0.1, 0])).toEqual([0.95, 0.45, 0.5, 0.1, 0]);
  });
});

describe('bottleneckOf', () => {
  const stage = (
    name: string,
    own: number,
    at: StageInputs = inputs({ queue: 1 }),
    weights: PressureWeights = { queue: own },
  ): StagePressure => ({ stage: name, own, isHeld: false, weights, inputs: at });

  it('names the most downstream stage that is high, not the one with the highest pressure', () => {
    const stages = [
      stage('Gateway', 0.9),
      stage('KeyGen', 0.85),
      stage('IngressProcessing', 0.8),
      stage('AsyncEgress', 0.8),
      stage('FinalSink', 0),
    ];
    expect(bottleneckOf(stages, AT_REST)?.stage).toBe('AsyncEgress');
  });

  it('names the largest weighted term as the cause, in a sentence', () => {
    const pending = inputOf('pending acknowledgments', 900, 1000);
    const at = { ...inputs({ credit: 0.6 }), queue: pending };
    const sink = stage('FinalSink', 0.81, at, DEFAULT_WEIGHTS.FinalSink);
    expect(bottleneckOf([sink], AT_REST)).toEqual({
      stage: 'FinalSink',
      signal: 'queue',
      value: 0.9,
      sentence: 'FinalSink: pending acknowledgments 900/1000 (0.63 of 0.81)',
    });
  });

  it('names the larger of queue and credit where they are weighed together', () => {
    const at = inputs({ queue: 0.2, credit: 1 });
    const gateway = stage('Gateway', 0.8, at, DEFAULT_WEIGHTS.Gateway);
    expect(bottleneckOf([gateway], AT_REST)?.signal).toBe('credit');
  });

  it('still names a stage whose reaction keeps its queue short and its pool full', () => {
    const held = { ...stage('FinalSink', 0.5), isHeld: true };
    const stages = [stage('Gateway', 0.9), held];
    expect(bottleneckOf(stages, AT_REST)?.stage).toBe('FinalSink');
  });

  it('says that a stage is stuck', () => {
    const stuck = stage('FinalSink', 1, { ...inputs({}), stuckMs: 4000 });
    expect(bottleneckOf([stuck], AT_REST)).toMatchObject({
      signal: 'stuck',
      sentence: 'FinalSink: work is inside and nothing came out for 4000 ms',
    });
  });

  it('is the process when no stage is high and memory or network is', () => {
    const calm = [stage('Gateway', 0.59)];
    expect(bottleneckOf(calm, { memory: 0.7, network: 0 })).toMatchObject({
      stage: 'process',
      signal: 'memory',
      sentence: 'process: memory 0.70',
    });
    expect(bottleneckOf(calm, { memory: 0, network: 0.6 })?.signal).toBe('network');
  });

  it('is nobody below 0.6', () => {
    expect(bottleneckOf([stage('Gateway', 0.59)], { memory: 0.59, network: 0 })).toBeUndefined();
  });
});

describe('inputs', () => {
  it('are at most 1', () => {
    expect(inputOf('queued', 20, 10).ratio).toBe(1);
  });

  it('are scaled between two bounds and clamped', () => {
    expect([0.6, 0.7, 0.825, 0.95, 1].map((x) => scale(x, 0.7, 0.95))).toEqual([
      0,
      0,
      expect.closeTo(0.5),
      1,
      1,
    ]);
  });
});
