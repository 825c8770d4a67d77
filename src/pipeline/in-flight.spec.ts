import { makeRecords } from '../../test/support/ledger.js';
import { InFlight } from './in-flight.js';
import type { PipelineRecord } from './record.js';

describe('InFlight', () => {
  it('knows accepted records by id until their end', () => {
    const inFlight = new InFlight();
    const [a, b] = makeRecords(2);
    inFlight.add([a!, b!]);
    expect(inFlight.get(a!.id)).toBe(a);
    inFlight.settle([a!]);
    expect(inFlight.get(a!.id)).toBeUndefined();
    expect(inFlight.size).toBe(1);
  });

  it('tells everybody who waits for a record of its end', async () => {
    const inFlight = new InFlight();
    const [record] = makeRecords(1);
    inFlight.add([record!]);
    const waits = [1, 2].map(() => inFlight.waitFor(record!.id, new AbortController().signal));
    inFlight.settle([record!]);
    expect(await Promise.all(waits)).toEqual([record, record]);
  });

  it('ends a wait without a record when the signal is aborted, and leaves the others alone', async () => {
    const inFlight = new InFlight();
    const [record] = makeRecords(1);
    inFlight.add([record!]);
    const impatient = new AbortController();
    const left = inFlight.waitFor(record!.id, impatient.signal);
    const stays = inFlight.waitFor(record!.id, new AbortController().signal);
    impatient.abort();
    expect(await left).toBeUndefined();
    inFlight.settle([record!]);
    expect(await stays).toBe(record);
  });

  it('does not wait for what is not in flight here, or for a caller who has left', async () => {
    const inFlight = new InFlight();
    const [record] = makeRecords(1);
    expect(await inFlight.waitFor(record!.id, new AbortController().signal)).toBeUndefined();
    inFlight.add([record!]);
    expect(await inFlight.waitFor(record!.id, AbortSignal.abort())).toBeUndefined();
    const gone = new AbortController();
    const wait = inFlight.waitFor(record!.id, gone.signal);
    gone.abort();
    expect(await wait).toBeUndefined();
  });

  it('tells watchers of resumed records, and of each end once', () => {
    const inFlight = new InFlight();
    const resumed: PipelineRecord[] = [];
    const settled: PipelineRecord[] = [];
    inFlight.watch({
      resumed: (records) => resumed.push(...records),
      settled: (records) => settled.push(...records),
    });
    const [a, b, stranger] = makeRecords(3);
    inFlight.add([a!]);
    inFlight.resume([b!]);
    inFlight.settle([a!, b!, stranger!]);
    inFlight.settle([a!]);
    expect(resumed).toEqual([b]);
    expect(settled).toEqual([a, b]);
  });
});
