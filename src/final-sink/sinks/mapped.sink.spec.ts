import { DELIVERY } from '../../../test/contract/sink.contract.js';
import { InMemorySink } from '../../../test/support/in-memory-sink.js';
import { makeRecord } from '../../../test/support/ledger.js';
import { StageHarness } from '../../../test/support/stage-harness.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import { MappedSink, type PayloadMap } from './mapped.sink.js';
import type { DeliveryContext, Sink } from './sink.js';

const slim = (order: { id: number }): unknown => ({ id: order.id });

const arrived = (sink: InMemorySink): unknown[] =>
  [...sink.rows.values()].map(({ payload, body }) => [payload, body?.toString()]);

describe('MappedSink', () => {
  it('delivers what map returns, and leaves the record as it is (MS1)', async () => {
    const inner = new InMemorySink();
    const record = makeRecord({ payload: { id: 7, secret: 'x' } });
    const before = { ...record };
    const outcomes = await new MappedSink(inner, slim).deliver([record], DELIVERY);
    expect(outcomes).toEqual([{ kind: 'acknowledged' }]);
    expect(arrived(inner)).toEqual([[{ id: 7 }, '{"id":7}']]);
    expect(record).toEqual(before);
  });

  it('delivers the bytes as they came when map returns the same object', async () => {
    const inner = new InMemorySink();
    const record = makeRecord({ payload: { n: 1 }, body: Buffer.from('{ "n": 1 }') });
    await new MappedSink(inner, (payload) => payload).deliver([record], DELIVERY);
    expect([...inner.rows.values()]).toEqual([record]);
  });

  const promise = (): Promise<unknown> => Promise.reject(new Error('unheard'));
  it.each<[string, PayloadMap]>([
    [
      'threw (TypeError)',
      () => {
        throw new TypeError('the payload is secret');
      },
    ],
    ['gave a promise: it must answer at once', promise],
    ['gave what is no JSON value', () => undefined],
    ['threw (TypeError)', () => 1n],
  ])(
    'ends a record whose map %s, reason pipeline, and delivers the others (MS2)',
    async (what, fail) => {
      const inner = new InMemorySink();
      const records = [1, 2, 3].map((id) => makeRecord({ payload: { id } }));
      const map = (payload: { id: number }): unknown =>
        payload.id === 2 ? (fail as () => unknown)() : payload;
      const outcomes = await new MappedSink(inner, map).deliver(records, DELIVERY);
      expect(outcomes).toEqual([
        { kind: 'acknowledged' },
        {
          kind: 'failed',
          failure: { kind: 'final', reason: 'pipeline', message: `The sink’s map ${what}.` },
        },
        { kind: 'acknowledged' },
      ]);
      expect(inner.arrivals).toEqual([records[0]!.id, records[2]!.id]);
    },
  );

  it('writes no unsafe number anew', async () => {
    const record = makeRecord({ payload: { id: 1 }, unsafeNumber: '/id' });
    const [outcome] = await new MappedSink(new InMemorySink(), slim).deliver([record], DELIVERY);
    expect(outcome).toMatchObject({ failure: { kind: 'final', reason: 'unsafe-number' } });
    const [same] = await new MappedSink(new InMemorySink(), (it) => it).deliver([record], DELIVERY);
    expect(same).toEqual({ kind: 'acknowledged' });
  });

  it('tells FinalSink of the record that it was given when a sink that repeats asks about its copy', async () => {
    const asked: PipelineRecord[] = [];
    const context: DeliveryContext = {
      ...DELIVERY,
      again: (record) => {
        asked.push(record);
        return undefined;
      },
    };
    const inner: Sink = Object.assign(new InMemorySink(), {
      deliver: async (records: readonly PipelineRecord[], asking: DeliveryContext) =>
        records.map((record) => {
          const failure = { kind: 'final', message: 'no' } as const;
          asking.again(record, failure);
          return { kind: 'failed', failure } as const;
        }),
    });
    const record = makeRecord({ payload: { id: 1 } });
    await new MappedSink(inner, slim).deliver([record], context);
    expect(asked).toEqual([record]);
    expect(asked[0]).toBe(record);
  });

  it('makes a dead letter of reason pipeline, with the payload of the record', async () => {
    const map = (): unknown => {
      throw new Error('no');
    };
    const harness = await new StageHarness({
      sink: new MappedSink(new InMemorySink(), map),
    }).start();
    const [record] = await harness.accept([{ id: 1 }]);
    await harness.advance();
    expect(harness.endOf(record!)).toBe('dead-lettered: pipeline');
    expect(record!.payload).toEqual({ id: 1 });
    expect(harness.leftovers()).toEqual({});
  });
});
