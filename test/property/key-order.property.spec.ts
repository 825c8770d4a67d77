import fc from 'fast-check';
import { failed, InMemorySink } from '../support/in-memory-sink.js';
import { StageHarness } from '../support/stage-harness.js';

interface Plan {
  readonly key: string | undefined;
  /** Calls that fail before one succeeds, and the time of each. */
  readonly failedCalls: number;
  readonly callMs: number;
  readonly failedDeliveries: number;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  key: fc.constantFrom('a', 'b', 'c', undefined),
  failedCalls: fc.integer({ min: 0, max: 4 }),
  callMs: fc.integer({ min: 0, max: 150 }),
  failedDeliveries: fc.integer({ min: 0, max: 4 }),
});

const small = fc.integer({ min: 1, max: 6 });

describe('The pipeline from KeyGen to FinalSink', () => {
  it('delivers the records of a key in intake order, under retries, partial grants and dead letters (N3)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(plan, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 6 }),
        fc.record({
          ingress: small,
          egress: small,
          finalSink: small,
          buffer: small,
          calls: small,
          pending: small,
        }),
        fc.boolean(),
        async (slices, sizes, isOrdered) => {
          const plans = slices.flat();
          const calls = plans.map(() => 0);
          const deliveries = plans.map(() => 0);
          const sink = new InMemorySink({ isOrdered, maxBatchRecords: 3 });
          sink.answer = ({ payload }) => {
            const index = payload as number;
            deliveries[index]! += 1;
            return deliveries[index]! <= plans[index]!.failedDeliveries
              ? failed('retryable')
              : { kind: 'acknowledged' };
          };
          const egress = async (payload: unknown): Promise<void> => {
            const index = payload as number;
            const { callMs, failedCalls } = plans[index]!;
            calls[index]! += 1;
            await new Promise<void>((resolve) => harness.clock.setTimer(callMs, resolve));
            if (calls[index]! <= failedCalls) throw new Error('planned');
          };
          const harness = await new StageHarness({
            sink,
            definition: { egress },
            capacity: {
              IngressProcessing: sizes.ingress,
              AsyncEgress: sizes.egress,
              FinalSink: sizes.finalSink,
            },
            ingress: { maxBufferSize: sizes.buffer },
            egress: { maxConcurrentOperations: sizes.calls, operationTimeoutMs: 200 },
            finalSink: { maxPendingAcknowledgments: sizes.pending },
          }).start();
          let index = 0;
          const submitted = slices.map((slice) =>
            harness.submit(
              slice.map(() => index++),
              { keys: slice.map(({ key }) => key) },
            ),
          );
          const count = plans.length;
          // A breaker opens for up to 36 s between two probes.
          for (let s = 0; s < 600 && harness.settled.length < count; s += 1) {
            await harness.advance(36_000);
          }
          await harness.advance();
          await Promise.all(submitted.map(({ done }) => done));
          const records = submitted.flatMap((each) => each.records);
          expect(harness.leftovers()).toEqual({});
          expect(harness.ingress.inside).toBe(0);
          expect(harness.keygen.load.counts().every((count) => count === 0)).toBe(true);
          expect(harness.settled).toHaveLength(records.length);
          for (const key of ['a', 'b', 'c']) {
            const arrived = sink.arrivals.filter((id) => sink.rows.get(id)?.key === key);
            const sent = records.filter((each) => each.key === key && sink.rows.has(each.id));
            expect(arrived).toEqual(sent.map(({ id }) => id));
          }
        },
      ),
      { numRuns: 50 },
    );
  }, 60_000);
});
