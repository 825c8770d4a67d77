import { FakeClock } from '../../test/support/fake-clock.js';
import { InMemorySink } from '../../test/support/in-memory-sink.js';
import { StageHarness } from '../../test/support/stage-harness.js';
import { finalSinkOptions } from './final-sink.options.js';
import { FinalSinkStage } from './final-sink.stage.js';
import { LeaseGate } from './lease-gate.js';

const item = (name: string, source: 'rest' | 'kafka' = 'rest') => ({ name, record: { source } });
const names = (items: readonly { name: string }[]): string[] => items.map(({ name }) => name);

describe('LeaseGate', () => {
  function gateOf(leaseMs: number) {
    const clock = new FakeClock();
    const lease = { heldUntilMs: clock.now() + leaseMs };
    const opened: string[] = [];
    const gate = new LeaseGate<ReturnType<typeof item>>({
      lease,
      answerWithinMs: 10_000,
      clock,
      onOpen: (items) => opened.push(...names(items)),
    });
    return { clock, lease, gate, opened };
  }

  it('lets records of the journal pass until the lease could end before their answer, and not later (LG1)', () => {
    const { clock, gate } = gateOf(15_000);
    clock.advance(5000);
    expect(names(gate.pass([item('a')]))).toEqual(['a']);
    clock.advance(1);
    expect(gate.pass([item('b')])).toEqual([]);
    gate.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives back what it held, in order and once, after the renewal; later ones line up behind (LG2)', () => {
    const { clock, lease, gate, opened } = gateOf(0);
    expect(gate.pass([item('a'), item('b')])).toEqual([]);
    lease.heldUntilMs = clock.now() + 15_000;
    expect(gate.pass([item('c')])).toEqual([]);
    clock.advance(1000);
    expect(opened).toEqual(['a', 'b', 'c']);
    expect(names(gate.pass([item('d')]))).toEqual(['d']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('goes on looking while the lease is with another process', () => {
    const { clock, lease, gate, opened } = gateOf(-Infinity);
    gate.pass([item('a')]);
    clock.advance(60_000);
    expect(opened).toEqual([]);
    lease.heldUntilMs = clock.now() + 15_000;
    clock.advance(100);
    expect(opened).toEqual(['a']);
  });

  it('lets records of a source with its own fence pass', () => {
    const { gate } = gateOf(0);
    expect(names(gate.pass([item('a'), item('k', 'kafka')]))).toEqual(['k']);
    gate.stop();
  });
});

describe('FinalSink without a lease', () => {
  async function stageWith(endsRecords: boolean) {
    const sink = Object.assign(new InMemorySink(), { endsRecords });
    const harness = await new StageHarness().start();
    const { runtime, settlement } = harness;
    const lease = { heldUntilMs: -Infinity };
    const options = finalSinkOptions.schema.parse({});
    const stage = new FinalSinkStage(
      runtime,
      options,
      settlement,
      [{ sink, isRequired: true }],
      lease,
    );
    harness.egress.connect(stage);
    await stage.start();
    await harness.accept([1, 2]);
    await harness.advance(1000);
    return { sink, harness, stage, lease };
  }

  it('delivers nothing of the journal, and goes on when it has one', async () => {
    const { sink, harness, stage, lease } = await stageWith(false);
    expect(sink.arrivals).toEqual([]);
    expect(harness.outstanding('FinalSink')).toBe(2);
    lease.heldUntilMs = Infinity;
    await harness.advance(100);
    expect(sink.arrivals).toHaveLength(2);
    expect(harness.leftovers()).toEqual({});
    await stage.stop();
  });

  it('leaves the question to a sink whose transaction asks it', async () => {
    const { sink, stage } = await stageWith(true);
    expect(sink.arrivals).toHaveLength(2);
    await stage.stop();
  });
});
