import type { BackPressureOptions } from '../../libs/back-pressure/src/index.js';
import { loadOptions } from '../config/load-options.js';
import { backPressureOptions } from './stage-specs.js';

const MIB = 1_048_576;
const MACHINE_BYTES = 4 * 1024 * MIB;

function optionsWith(environment: Record<string, string>): BackPressureOptions {
  const { options } = loadOptions({ environment, folder: '/nowhere' });
  return backPressureOptions(options, MACHINE_BYTES);
}

/** `stages.0.capacity` and the like. */
function read(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce((part, name) => (part as Record<string, unknown> | undefined)?.[name], value);
}

/** What each option does to the controller is shown in libs/back-pressure/src/settings.spec.ts; here is where it comes from. */
describe('the back-pressure controller', () => {
  it.each([
    ['GATEWAY_BUFFER_SIZE', 'stages.0.capacity', 1000, 901],
    ['KEYGEN_BUFFER_SIZE', 'stages.1.capacity', 2000, 902],
    ['INGRESS_BUFFER_SIZE', 'stages.2.capacity', 1500, 903],
    ['EGRESS_BUFFER_SIZE', 'stages.3.capacity', 3000, 904],
    ['FINAL_SINK_BUFFER_SIZE', 'stages.4.capacity', 2500, 2905],
    ['GATEWAY_CREDIT_REPLENISH_RATE', 'stages.0.replenishPerSecond', 100, 1],
    ['KEYGEN_CREDIT_REPLENISH_RATE', 'stages.1.replenishPerSecond', 200, 2],
    ['INGRESS_CREDIT_REPLENISH_RATE', 'stages.2.replenishPerSecond', 150, 3],
    ['EGRESS_CREDIT_REPLENISH_RATE', 'stages.3.replenishPerSecond', 300, 4],
    ['FINAL_SINK_CREDIT_REPLENISH_RATE', 'stages.4.replenishPerSecond', 250, 5],
    ['GATEWAY_TRIGGER', 'stages.0.trigger', 0.7, 0.1],
    ['KEYGEN_TRIGGER', 'stages.1.trigger', 0.8, 0.2],
    ['INGRESS_TRIGGER', 'stages.2.trigger', 0.75, 0.3],
    ['EGRESS_TRIGGER', 'stages.3.trigger', 0.9, 0.4],
    ['FINAL_SINK_TRIGGER', 'stages.4.trigger', 0.85, 0.5],
    ['GATEWAY_LATENCY_TARGET_MS', 'stages.0.latencyTargetMs', 100, 11],
    ['GATEWAY_SLOW_PROCESSING_THRESHOLD_MS', 'stages.0.latencyTargetMs', 100, 12],
    ['KEYGEN_LATENCY_TARGET_MS', 'stages.1.latencyTargetMs', 1000, 13],
    ['INGRESS_LATENCY_TARGET_MS', 'stages.2.latencyTargetMs', 1000, 14],
    ['EGRESS_LATENCY_TARGET_MS', 'stages.3.latencyTargetMs', 1000, 15],
    ['FINAL_SINK_LATENCY_TARGET_MS', 'stages.4.latencyTargetMs', 1000, 16],
    ['EGRESS_OPERATION_TIMEOUT_MS', 'stages.3.longestServiceMs', 5000, 17],
    ['FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS', 'stages.4.longestServiceMs', 10_000, 9_000],
    ['PIPELINE_BUFFER_SIZE', 'pipeline.capacity', 10_000, 7_777],
    ['GATEWAY_MAX_QUEUE_SIZE', 'admission.queueCapacity', 1000, 77],
    ['MONITORING_INTERVAL_MS', 'monitoringIntervalMs', 2000, 500],
    ['MODERATE_PRESSURE_THRESHOLD', 'thresholds.moderate', 0.6, 0.5],
    ['HIGH_PRESSURE_THRESHOLD', 'thresholds.high', 0.8, 0.7],
    ['CRITICAL_PRESSURE_THRESHOLD', 'thresholds.critical', 0.9, 0.95],
    ['ERROR_TOLERANCE', 'errorTolerance', 0.05, 0.5],
  ] as const)('has %s as %s', (name, path, usual, other) => {
    expect(read(optionsWith({}), path)).toBe(usual);
    expect(read(optionsWith({ [name]: String(other) }), path)).toBe(other);
  });

  it('gives the pipeline BUFFER_MEMORY_FRACTION of the memory, within BUFFER_MEMORY_MIN_BYTES and BUFFER_MEMORY_MAX_BYTES', () => {
    const bytes = (environment: Record<string, string>) =>
      optionsWith(environment).pipeline.byteCapacity;
    expect(bytes({ BUFFER_MEMORY_FRACTION: '0.125' })).toBe(512 * MIB);
    const fraction = { BUFFER_MEMORY_FRACTION: '0.001' };
    expect(bytes(fraction)).toBe(64 * MIB);
    expect(bytes({ ...fraction, BUFFER_MEMORY_MIN_BYTES: String(80 * MIB) })).toBe(80 * MIB);
    expect(bytes({ BUFFER_MEMORY_MAX_BYTES: String(100 * MIB) })).toBe(100 * MIB);
  });

  it('shares the bytes out by the credits of the stages', () => {
    const { stages, pipeline } = optionsWith({});
    const shares = stages.map(({ byteCapacity = 0 }) => byteCapacity / pipeline.byteCapacity);
    expect(shares.map((share) => Number(share.toFixed(2)))).toEqual([0.1, 0.2, 0.15, 0.3, 0.25]);
  });
});
