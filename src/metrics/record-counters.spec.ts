import { FakeClock } from '../../test/support/fake-clock.js';
import { makeRecord } from '../../test/support/ledger.js';
import { InFlight } from '../pipeline/in-flight.js';
import type { TerminalStatus } from '../pipeline/record.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { RecordCounters } from './record-counters.js';

function setUp() {
  const inFlight = new InFlight();
  const counters = new RecordCounters(
    inFlight,
    new StageRuntime({} as never, new FakeClock(), () => 0.5),
  );
  const ended = (): Record<string, number> =>
    Object.fromEntries(
      [...counters.ended.samples()].map(({ labels, value }) => [
        Object.values(labels ?? {}).join(' '),
        value,
      ]),
    );
  return { inFlight, counters, ended };
}

describe('pipeline_records_ended_total', () => {
  it('counts an end once, whatever it is', () => {
    const { inFlight, counters, ended } = setUp();
    for (const status of ['acknowledged', 'dead-lettered', 'discarded'] as TerminalStatus[]) {
      const record = makeRecord();
      inFlight.add([record]);
      record.terminal = { status };
      inFlight.settle([record]);
      inFlight.settle([record]);
    }
    expect(ended()).toEqual({
      'acknowledged rest': 1,
      'dead-lettered rest': 1,
      'discarded rest': 1,
    });
    expect(counters.seconds.count).toBe(3);
  });

  it('counts what the pipeline discards instead of accepting it', () => {
    const { inFlight, counters, ended } = setUp();
    inFlight.discard([makeRecord(), makeRecord()]);
    expect(ended()).toEqual({ 'discarded rest': 2 });
    expect(counters.seconds.count).toBe(2);
  });

  it('does not count what was left to the journal', () => {
    const { inFlight, ended } = setUp();
    const record = makeRecord();
    inFlight.add([record]);
    inFlight.settle([record]);
    expect(ended()).toEqual({});
  });
});
