import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Deliveries } from '../../src/final-sink/deliveries.js';
import { finalSinkOptions } from '../../src/final-sink/final-sink.options.js';
import { guardOf } from '../../src/final-sink/sink-guard.js';
import { InMemorySink } from '../support/in-memory-sink.js';
import { freeLot, makeRecord } from '../support/ledger.js';
import { StageHarness } from '../support/stage-harness.js';

const CALLS = 20_000;
/** A signal joined to one that lives long left 2 000 bytes a call; everything else comes and goes. */
const MOST_BYTES_A_CALL = 100;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe('calls to the sink', () => {
  it('leave nothing behind', async () => {
    const { runtime } = new StageHarness();
    const sink = new InMemorySink();
    const options = finalSinkOptions.schema.parse({});
    const deliveries = new Deliveries({
      runtime,
      options,
      sink,
      guard: guardOf(sink, options, runtime),
      meter: runtime.controller.meter('FinalSink'),
      lease: { heldUntilMs: Infinity },
      isBlocked: () => false,
      onDelivered: () => undefined,
      onGivenUp: () => Promise.resolve(),
      onLeft: () => undefined,
    });
    const [record, lot] = [makeRecord(), freeLot()];
    const deliver = async (calls: number): Promise<void> => {
      for (let i = 0; i < calls; i += 1) {
        deliveries.take([record], lot);
        while (deliveries.inside > 0) await Promise.resolve();
      }
      sink.arrivals.length = 0;
      sink.batches.length = 0;
    };
    await deliver(CALLS);
    const before = heapBytes();
    await deliver(CALLS);
    expect((heapBytes() - before) / CALLS).toBeLessThan(MOST_BYTES_A_CALL);
  });
});
