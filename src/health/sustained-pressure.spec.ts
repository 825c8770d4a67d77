import { HealthIndicatorService } from '@nestjs/terminus';
import type { BackPressureController } from '#libs/back-pressure';
import { BackPressureController as Controller, DEFAULT_WEIGHTS } from '#libs/back-pressure';
import type { ServiceOptions } from '../config/service.options.js';
import type { PipelineLifecycle } from '../pipeline/pipeline.lifecycle.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { HealthIndicators } from './health.indicators.js';
import { SustainedPressure } from './sustained-pressure.js';

/** A controller of one stage whose pressure the test sets. */
function setUp(readinessPressurePolicy: 'never' | 'sustained') {
  const clock = new FakeClock();
  const stage = {
    id: 'Gateway',
    capacity: 10,
    replenishPerSecond: 10,
    trigger: 0.7,
    triggerOn: 'queue-or-credit',
    latencyTargetMs: 100,
    weights: DEFAULT_WEIGHTS.Gateway,
  } as const;
  const controller: BackPressureController = new Controller({
    stages: [stage],
    pipeline: { capacity: 10, byteCapacity: 1000 },
    monitoringIntervalMs: 2000,
    thresholds: { moderate: 0.6, high: 0.8, critical: 0.9 },
    errorTolerance: 0.05,
    admission: { queueCapacity: 10 },
    clock,
  });
  let pressure = 0;
  controller.setProcessInput('memory', 'test', () => pressure);
  const sustained = new SustainedPressure(
    controller,
    new StageRuntime(controller, clock, () => 0.5),
  );
  const indicators = new HealthIndicators(
    new HealthIndicatorService(),
    { state: 'running' } as PipelineLifecycle,
    sustained,
    { readinessPressurePolicy } as ServiceOptions,
  );
  const press = (value: number, forMs: number): string => {
    pressure = value;
    controller.evaluate();
    clock.advance(forMs);
    return indicators.pressureBearable().pressure.status;
  };
  return { press };
}

describe('READINESS_PRESSURE_POLICY', () => {
  it('never: pressure alone leaves a replica ready', () => {
    expect(setUp('never').press(1, 600_000)).toBe('up');
  });

  it('sustained: critical pressure makes it not ready after 30 s', () => {
    const { press } = setUp('sustained');
    expect(press(1, 29_999)).toBe('up');
    expect(press(1, 1)).toBe('down');
  });

  it('sustained: it is ready as soon as the pressure is not critical, and time begins anew', () => {
    const { press } = setUp('sustained');
    press(1, 60_000);
    expect(press(0.5, 1)).toBe('up');
    expect(press(1, 29_999)).toBe('up');
  });
});
