import type { DeliveryContext, Sink } from '../../src/final-sink/sinks/sink.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';

/** What the cases need to know about a sink under test. */
export interface SinkUnderTest {
  readonly sink: Sink;
  /** A record that the sink can deliver, as FinalSink would hand it over. */
  readonly accepted: (fields: Partial<PipelineRecord>) => Promise<PipelineRecord>;
  /** A record that the destination refuses for what it is. */
  readonly refusable: (fields: Partial<PipelineRecord>) => Promise<PipelineRecord>;
  /** Ids that the destination holds, in the order in which they arrived. */
  readonly delivered: () => Promise<readonly string[]>;
  /** The end of a record, as the books hold it; undefined while it has none. */
  readonly endOf: (record: PipelineRecord) => Promise<string | undefined>;
}

/** Nobody aborts; what failed may be sent again soon, unless the answer was final. */
export const DELIVERY: DeliveryContext = {
  signal: new AbortController().signal,
  again: (_record, { kind }) => (kind === 'final' ? undefined : 20),
};

/** The rules of the port `Sink`, for every implementation. */
export function sinkContract(name: string, make: () => Promise<SinkUnderTest>): void {
  describe(`${name} as a sink`, () => {
    it('delivers in order and gives one outcome for each record', async () => {
      const { sink, accepted, delivered } = await make();
      const records = [];
      for (let n = 0; n < 5; n += 1) records.push(await accepted({ payload: { n } }));
      const outcomes = await sink.deliver(records, DELIVERY);
      expect(outcomes.map(({ kind }) => kind)).toEqual(records.map(() => 'acknowledged'));
      expect(await delivered()).toEqual(records.map(({ id }) => id));
    });

    it('delivers a record twice with the effect of once', async () => {
      const { sink, accepted, delivered } = await make();
      const record = await accepted({ payload: { n: 1 } });
      const outcomes = [
        ...(await sink.deliver([record], DELIVERY)),
        ...(await sink.deliver([record], DELIVERY)),
      ];
      expect(outcomes.map(({ kind }) => kind)).toEqual(['acknowledged', 'acknowledged']);
      expect(new Set(await delivered())).toEqual(new Set([record.id]));
    });

    it('fails a record that the destination refuses as final, and delivers the others of its batch', async () => {
      const { sink, accepted, refusable, delivered, endOf } = await make();
      const first = await accepted({ key: 'a' });
      const bad = await refusable({ key: 'b' });
      const last = await accepted({ key: 'c' });
      const outcomes = await sink.deliver([first, bad, last], DELIVERY);
      expect(outcomes).toMatchObject([
        { kind: 'acknowledged' },
        { kind: 'failed', failure: { kind: 'final' } },
        { kind: 'acknowledged' },
      ]);
      expect(await delivered()).toEqual([first.id, last.id]);
      expect(await endOf(bad)).toBeUndefined();
    });

    it('has the end of what it acknowledged in the books exactly if it ends records itself', async () => {
      const { sink, accepted, endOf } = await make();
      const record = await accepted({ payload: { n: 1 } });
      await sink.deliver([record], DELIVERY);
      expect(await endOf(record)).toBe(sink.endsRecords ? 'acknowledged' : undefined);
    });

    it('takes an empty batch, and a full one', async () => {
      const { sink, accepted, delivered } = await make();
      expect(await sink.deliver([], DELIVERY)).toEqual([]);
      const count = Math.min(sink.maxBatchRecords, 1000);
      const records = await Promise.all(
        Array.from({ length: count }, (_, n) => accepted({ payload: { n } })),
      );
      const outcomes = await sink.deliver(records, DELIVERY);
      expect(outcomes).toHaveLength(count);
      expect(await delivered()).toHaveLength(count);
    });

    it('can be stopped twice', async () => {
      const { sink } = await make();
      await sink.stop();
      await expect(sink.stop()).resolves.toBeUndefined();
    });
  });
}
