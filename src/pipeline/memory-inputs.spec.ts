import { BackPressureController } from '#libs/back-pressure';
import type { KafkaSource } from '#libs/kafka';
import { backPressureOptions, stagesWith } from '../../test/support/back-pressure.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { MemoryInputs } from './memory-inputs.js';

const BUDGET_BYTES = 1000;

function setUp(source: Pick<KafkaSource, 'snapshot'> | undefined) {
  const controller = new BackPressureController(
    backPressureOptions({
      clock: new FakeClock(),
      stages: stagesWith({}),
      pipeline: { capacity: 10, byteCapacity: BUDGET_BYTES },
    }),
  );
  return { controller, inputs: new MemoryInputs(controller, source as KafkaSource | undefined) };
}

function memoryOf(controller: BackPressureController): number {
  controller.evaluate();
  return controller.getPipelineStatus().process.memory;
}

describe('MemoryInputs', () => {
  it('adds what is fetched and not credited to what is in flight, against the byte budget', () => {
    let waitingBytes = 0;
    const { controller } = setUp({ snapshot: () => ({ waitingBytes }) as never });
    expect(memoryOf(controller)).toBe(0);
    waitingBytes = 300;
    expect(memoryOf(controller)).toBeCloseTo(0.3);
    const admission = controller.tryAdmit(1, [400]);
    expect(memoryOf(controller)).toBeCloseTo(0.7);
    waitingBytes = 5000;
    expect(memoryOf(controller)).toBe(1);
    admission!.pipeline.release(1, 400);
    waitingBytes = 0;
    expect(memoryOf(controller)).toBe(0);
  });

  it('adds nothing without a Kafka source', () => {
    expect(memoryOf(setUp(undefined).controller)).toBe(0);
  });
});
