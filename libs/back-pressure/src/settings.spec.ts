import { backPressureOptions, FakeProbe, stagesWith } from '../../../test/support/back-pressure.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { BackPressureController } from './back-pressure-controller.js';
import type { BackPressureOptions, StageSpec } from './back-pressure.options.js';
import type { PipelineStatus, StageStatus } from './pipeline-status.js';

type Observation = (controller: BackPressureController, clock: FakeClock) => unknown;

/** What a controller with these options shows after `observe`. */
function observed(options: Partial<BackPressureOptions>, observe: Observation): unknown {
  const clock = new FakeClock();
  const controller = new BackPressureController(backPressureOptions({ clock, ...options }));
  const seen = observe(controller, clock);
  controller.stop();
  return seen;
}

const stageOf = (status: PipelineStatus, id: string): StageStatus =>
  status.stages.find(({ stage }) => stage === id)!;

const pass = (controller: BackPressureController, clock: FakeClock): PipelineStatus => {
  clock.advance(2000);
  controller.evaluate();
  return controller.getPipelineStatus();
};

const loaded: Observation = (controller, clock) => {
  controller.meter('KeyGen').queue(500);
  controller.requestCredits('KeyGen', 500);
  return stageOf(pass(controller, clock), 'KeyGen').pressure;
};

const pressureAt =
  (memory: number): Observation =>
  (controller, clock) => {
    controller.setProcessInput('memory', 'test', () => memory);
    pass(controller, clock);
    return controller.getStageThrottleDelayMs('Gateway');
  };

describe('every setting changes something that can be seen (flaw 5)', () => {
  it.each<[keyof StageSpec, Partial<StageSpec>, unknown, Observation]>([
    [
      'capacity',
      { capacity: 7 },
      2000,
      (controller) => controller.requestCredits('KeyGen', 9999)?.count,
    ],
    [
      'byteCapacity',
      { byteCapacity: 100 },
      3,
      (controller) => controller.requestCredits('KeyGen', 3, 50)?.count,
    ],
    [
      'replenishPerSecond',
      { replenishPerSecond: 10 },
      200,
      (controller, clock) => {
        controller.stalled('KeyGen', true);
        controller.stalled('KeyGen', false);
        clock.advance(1000);
        return controller.requestCredits('KeyGen', 9999)?.count;
      },
    ],
    [
      'trigger',
      { trigger: 0.2 },
      false,
      (controller) => {
        controller.meter('KeyGen').queue(600);
        return controller.shouldThrottleStage('KeyGen');
      },
    ],
    [
      'triggerOn',
      { triggerOn: 'in-service' },
      false,
      (controller) => {
        controller.meter('KeyGen').inService(10, 10);
        return controller.shouldThrottleStage('KeyGen');
      },
    ],
    [
      'latencyTargetMs',
      { latencyTargetMs: 10_000 },
      0.1,
      (controller, clock) => {
        controller.meter('KeyGen').completed(1, 2000);
        return stageOf(pass(controller, clock), 'KeyGen').pressure;
      },
    ],
    ['weights', { weights: { queue: 1 } }, 0.325, loaded],
    [
      'longestServiceMs',
      { longestServiceMs: 60_000 },
      true,
      (controller, clock) => {
        controller.requestCredits('KeyGen', 1);
        for (let i = 0; i < 5; i += 1) pass(controller, clock);
        return stageOf(controller.getPipelineStatus(), 'KeyGen').stale;
      },
    ],
  ])('%s of a stage', (_, change, byDefault, observe) => {
    expect(observed({}, observe)).toEqual(byDefault);
    expect(observed({ stages: stagesWith({ KeyGen: change }) }, observe)).not.toEqual(byDefault);
  });

  it.each<[string, Partial<BackPressureOptions>, unknown, Observation]>([
    [
      'pipeline.capacity',
      { pipeline: { capacity: 5, byteCapacity: 1e9 } },
      1000,
      (controller) => controller.tryAdmit(9999)?.count,
    ],
    [
      'pipeline.byteCapacity',
      { pipeline: { capacity: 10_000, byteCapacity: 100 } },
      3,
      (controller) => controller.tryAdmit(3, 50)?.count,
    ],
    [
      'monitoringIntervalMs',
      { monitoringIntervalMs: 500 },
      0,
      (controller, clock) => {
        controller.start();
        controller.meter('KeyGen').queue(1000);
        clock.advance(600);
        return stageOf(controller.getPipelineStatus(), 'KeyGen').queueUtilization;
      },
    ],
    [
      'thresholds.moderate',
      { thresholds: { moderate: 0.5, high: 0.8, critical: 0.9 } },
      0,
      pressureAt(0.55),
    ],
    [
      'thresholds.high',
      { thresholds: { moderate: 0.6, high: 0.7, critical: 0.9 } },
      20,
      pressureAt(0.75),
    ],
    [
      'thresholds.critical',
      { thresholds: { moderate: 0.6, high: 0.8, critical: 0.84 } },
      50,
      pressureAt(0.85),
    ],
    [
      'errorTolerance',
      { errorTolerance: 0.5 },
      ['error'],
      (controller, clock) => {
        const signals: string[] = [];
        controller.events.on('trigger', ({ signal }) => signals.push(signal));
        controller.meter('KeyGen').failed(20);
        controller.meter('KeyGen').completed(80, 1);
        pass(controller, clock);
        return signals;
      },
    ],
    [
      'memoryLimitBytes',
      { memoryLimitBytes: 1, probe: undefined },
      0,
      (controller, clock) => pass(controller, clock).process.memory,
    ],
    [
      'probe',
      { probe: Object.assign(new FakeProbe(), { loopDelayMs: 500 }) },
      0,
      (controller, clock) => pass(controller, clock).process.network,
    ],
  ])('%s', (_, change, byDefault, observe) => {
    expect(observed({}, observe)).toEqual(byDefault);
    expect(observed(change, observe)).not.toEqual(byDefault);
  });

  it('admission.queueCapacity, admission.waitMs', async () => {
    const clock = new FakeClock();
    const controller = new BackPressureController(
      backPressureOptions({
        clock,
        stages: stagesWith({ Gateway: { capacity: 1 } }),
        admission: { queueCapacity: 1, waitMs: 10 },
      }),
    );
    controller.tryAdmit(1);
    const waiting = controller.admit(1);
    await expect(controller.admit(1)).rejects.toMatchObject({ signal: 'queue' });
    clock.advance(10);
    await expect(waiting).rejects.toMatchObject({ signal: 'credit' });
  });

  it('random', () => {
    const controller = new BackPressureController(backPressureOptions({ random: () => 0.25 }));
    expect(controller.random()).toBe(0.25);
  });
});
