import {
  OffsetWatermark,
  type OrderedCompletion,
  type TransactionRequest,
  type TransactionResult,
} from '#libs/kafka';
import { StageHarness } from '../../../test/support/stage-harness.js';
import { LedgerStoppedError } from '../../ledger/errors/ledger-stopped.error.js';
import type { Origin, PipelineRecord } from '../../pipeline/record.js';
import { MappedSink, type PayloadMap } from './mapped.sink.js';
import { TransactionalKafkaSink } from './transactional-kafka.sink.js';

/** A transaction that is under way, to be answered by the test. */
interface Transaction {
  readonly ids: readonly string[];
  readonly nextOffset: bigint;
  readonly request: TransactionRequest;
  answer(result: TransactionResult): void;
  commit(): void;
}

/** An offset, or the one of a record with a deadline. */
type Arrival = number | { readonly offset: number; readonly expiresAtMs: number };

/** Input partitions as the source has them. */
class Input {
  readonly mark = new OffsetWatermark({ low: 0n, maxRecords: 1000 });
  isOurs = true;
  private waiting: (() => void)[] = [];

  constructor(readonly name: string) {}

  private readonly completion = (): OrderedCompletion => {
    const isOurs = (): boolean => this.isOurs;
    return {
      done: (first, last) => void this.mark.done(first, last),
      get isOurs() {
        return isOurs();
      },
      cut: (offsets, from) => this.mark.cut(offsets, from),
      whenMoved: (callback) => this.waiting.push(callback),
    };
  };

  readonly origin: Origin & { readonly completion: OrderedCompletion } = {
    completion: this.completion(),
    settled: (records) => {
      for (const { id } of records) this.end(Number(id.slice(id.lastIndexOf(':') + 1)));
    },
  };

  begin(...offsets: readonly number[]): void {
    this.mark.begin(offsets, offsets, 0, offsets.length);
  }

  end(offset: number): void {
    this.mark.done(BigInt(offset), BigInt(offset));
    this.moved();
  }

  lose(): void {
    this.isOurs = false;
    this.moved();
  }

  private moved(): void {
    for (const callback of this.waiting.splice(0)) callback();
  }
}

async function setUp(map?: PayloadMap) {
  const out: Transaction[] = [];
  let isTopicReady = false;
  let becomeReady = (): void => undefined;
  const transact = (request: TransactionRequest): Promise<TransactionResult> =>
    new Promise((answer) => {
      const ids = request.records.map(({ recordId }) => recordId);
      const { nextOffset } = request;
      const places = request.records.map((_, i) => ({ partition: 2, offset: BigInt(i) }));
      const commit = (): void => answer({ kind: 'committed', places });
      out.push({ ids, nextOffset, request, answer, commit });
    });
  const harness: StageHarness = new StageHarness({
    sink: (clock) => {
      const sink = new TransactionalKafkaSink({
        name: 'kafka',
        topic: 'out',
        transactions: { transact, stop: () => Promise.resolve() },
        acknowledgments: { finish: (endings) => harness.acknowledgments.finish(endings) },
        requireKafkaOnly: () => Promise.resolve(),
        capacity: { records: 1000, bytes: 1e6 },
        clock,
        createTopicCheck: (onReady) => {
          becomeReady = () => {
            isTopicReady = true;
            onReady();
          };
          return {
            get state() {
              return isTopicReady ? ('ready' as const) : ('connecting' as const);
            },
            detail: undefined,
            start: () => undefined,
            stop: () => Promise.resolve(),
          };
        },
      });
      return map === undefined ? sink : new MappedSink(sink, map);
    },
  });
  await harness.start();
  const sink = harness.sink as TransactionalKafkaSink;
  const arrive = async (input: Input, ...arrivals: Arrival[]): Promise<PipelineRecord[]> => {
    const records: PipelineRecord[] = [];
    for (const arrival of arrivals) {
      const { offset, ...deadline } = typeof arrival === 'number' ? { offset: arrival } : arrival;
      const id = `${input.name}:${offset}`;
      const fields = { id, source: 'kafka', origin: input.origin, ...deadline } as const;
      records.push(...(await harness.accept([offset], { fields })));
    }
    await harness.advance();
    return records;
  };
  return { harness, sink, out, arrive, ready: () => becomeReady() };
}

/** The same with the topic there, and one partition with records 0 to 9 in flight. */
async function ready(map?: PayloadMap) {
  const set = await setUp(map);
  set.ready();
  const input = new Input('in:0');
  input.begin(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  return { ...set, input };
}

const OUTAGE = { kind: 'outage', message: 'Kafka: nobody answers.' } as const;
const TOO_LARGE = { kind: 'final', message: 'Kafka: too large (MESSAGE_TOO_LARGE).' } as const;

describe('TransactionalKafkaSink behind FinalSink', () => {
  it('ends records when their transaction has been committed, with the place of each (TS1)', async () => {
    const { harness, out, arrive, input } = await ready();
    const [first] = await arrive(input, 0);
    expect(out).toMatchObject([{ ids: ['in:0:0'], nextOffset: 1n }]);
    expect(harness.endOf(first!)).toBeUndefined();
    out[0]!.commit();
    await harness.advance();
    expect(harness.books.ended.get('in:0:0')).toMatchObject({
      destination: 'kafka',
      externalId: 'out:2:0',
      attempts: 1,
    });
    expect(harness.leftovers()).toEqual({});
  });

  it('puts what comes while a transaction runs into the next one', async () => {
    const { harness, out, arrive, input } = await ready();
    await arrive(input, 0, 1, 2, 3);
    expect(out).toHaveLength(1);
    out[0]!.commit();
    await harness.advance();
    expect(out[1]).toMatchObject({ ids: ['in:0:1', 'in:0:2', 'in:0:3'], nextOffset: 4n });
  });

  it('runs the transactions of two partitions side by side', async () => {
    const { out, arrive, input } = await ready();
    const other = new Input('in:1');
    other.begin(0);
    await arrive(input, 0);
    await arrive(other, 0);
    expect(out.map(({ request }) => request.partition)).toEqual([0, 1]);
  });

  it('waits for a record upstream, and goes on when that one has ended there (TS2)', async () => {
    const { harness, out, arrive, input } = await ready();
    await arrive(input, 1, 2);
    expect(out).toEqual([]);
    input.end(0);
    await harness.advance();
    expect(out).toMatchObject([{ ids: ['in:0:1', 'in:0:2'], nextOffset: 3n }]);
  });

  it('does nothing before the topic is as configured', async () => {
    const { harness, sink, out, arrive, ready: becomeReady } = await setUp();
    const input = new Input('in:0');
    input.begin(0);
    await arrive(input, 0);
    expect(out).toEqual([]);
    expect(sink.status()).toMatchObject({ state: 'connecting', producer: { queuedRecords: 1 } });
    expect(sink.isHeld).toBe(true);
    becomeReady();
    await harness.advance();
    expect(out).toHaveLength(1);
    expect(sink.status()).toMatchObject({ state: 'ready', producer: { lanes: { sending: 1 } } });
  });

  it('gives a transaction again that failed, with what has come since, and charges no attempt', async () => {
    const { harness, sink, out, arrive, input } = await ready();
    const [first] = await arrive(input, 0);
    out[0]!.answer({ kind: 'failed', failure: OUTAGE });
    await harness.advance();
    expect(sink.isHeld).toBe(true);
    expect(sink.status()).toMatchObject({ state: 'away', detail: OUTAGE.message });
    await arrive(input, 1);
    await harness.advance(10_000);
    expect(out[1]).toMatchObject({ ids: ['in:0:0', 'in:0:1'] });
    out[1]!.commit();
    await harness.advance();
    expect(first!.attempts).toBe(1);
    expect(sink.isHeld).toBe(false);
    expect(harness.leftovers()).toEqual({});
  });

  it('has the dead letter of a refused record in the books before it gives the others again (TS2)', async () => {
    const { harness, out, arrive, input } = await ready();
    const records = await arrive(input, 0, 1, 2);
    out[0]!.commit();
    await harness.advance();
    const [bad] = out[1]!.request.records;
    out[1]!.answer({ kind: 'refused', refused: [{ record: bad!, failure: TOO_LARGE }] });
    await harness.advance();
    expect(harness.endOf(records[1]!)).toBe('dead-lettered: rejected');
    expect(out[2]).toMatchObject({ ids: ['in:0:2'], nextOffset: 3n });
    out[2]!.commit();
    await harness.advance();
    expect(harness.endOf(records[2]!)).toBe('acknowledged');
    expect(harness.leftovers()).toEqual({});
    expect(harness.finalSink.snapshot().pending).toBe(0);
  });

  it('commits no offset past a refused record whose dead letter the books don’t take (TS2)', async () => {
    const { harness, out, arrive, input } = await ready();
    const records = await arrive(input, 0, 1, 2);
    out[0]!.commit();
    await harness.advance();
    jest.spyOn(harness.acknowledgments, 'finish').mockRejectedValue(new LedgerStoppedError());
    const [bad] = out[1]!.request.records;
    out[1]!.answer({ kind: 'refused', refused: [{ record: bad!, failure: TOO_LARGE }] });
    await harness.advance(10_000);
    expect(out).toHaveLength(2);
    expect(harness.endOf(records[1]!)).toBeUndefined();
    expect(harness.endOf(records[2]!)).toBeUndefined();
  });

  it('makes no dead letter of a transaction that fails because the pipeline stops', async () => {
    const { harness, out, arrive, input } = await ready();
    const [record] = await arrive(input, 0);
    await harness.stop();
    out[0]!.answer({ kind: 'failed', failure: OUTAGE });
    await harness.advance();
    expect(out).toHaveLength(1);
    expect(harness.endOf(record!)).toBeUndefined();
    expect(harness.books.ended.size).toBe(0);
  });

  it('ends a record whose deadline passes while its transaction fails, and goes over it (TS2)', async () => {
    const { harness, out, arrive, input } = await ready();
    const expiresAtMs = harness.clock.wallNow() + 5;
    const [late] = await arrive(input, { offset: 0, expiresAtMs });
    const [next] = await arrive(input, 1);
    await harness.advance(10);
    out[0]!.answer({ kind: 'failed', failure: OUTAGE });
    await harness.advance(10_000);
    expect(harness.endOf(late!)).toBe('discarded: expired');
    expect(out[1]).toMatchObject({ ids: ['in:0:1'], nextOffset: 2n });
    out[1]!.commit();
    await harness.advance();
    expect(harness.endOf(next!)).toBe('acknowledged');
    expect(harness.leftovers()).toEqual({});
  });

  it('sends nothing new while an operator has paused it, and goes on in order when it is resumed (DV7)', async () => {
    const { harness, sink, out, arrive, input } = await ready();
    harness.runtime.pauses.set([`sink:${sink.name}`]);
    await arrive(input, 0, 1);
    await harness.advance(1000);
    expect(out).toEqual([]);
    harness.runtime.pauses.set([]);
    await harness.advance();
    expect(out).toMatchObject([{ ids: ['in:0:0', 'in:0:1'], nextOffset: 2n }]);
  });

  it('takes what map made of its records, and goes over one whose map fails (MS3)', async () => {
    const { harness, sink, out, arrive, input } = await ready((n: number) => {
      if (n === 1) throw new TypeError('no');
      return n * 10;
    });
    // So that they come in one call.
    harness.runtime.pauses.set([`sink:${sink.name}`]);
    const records = await arrive(input, 0, 1, 2);
    harness.runtime.pauses.set([]);
    await harness.advance();
    out[0]!.commit();
    await harness.advance();
    expect(out[1]).toMatchObject({ ids: ['in:0:2'], nextOffset: 3n });
    expect(String(out[1]!.request.records[0]!.value)).toBe('20');
    out[1]!.commit();
    await harness.advance();
    expect(records.map((record) => harness.endOf(record))).toEqual([
      'acknowledged',
      'dead-lettered: pipeline',
      'acknowledged',
    ]);
    expect(harness.leftovers()).toEqual({});
  });

  it('leaves mapped records of a lost partition too (TS3)', async () => {
    const { harness, arrive, input } = await ready((n: number) => n * 10);
    await arrive(input, 1);
    input.lose();
    await harness.advance();
    expect(harness.inFlight.size).toBe(0);
    expect(harness.leftovers()).toEqual({});
  });

  it('leaves the records of a partition that is somebody else’s, and gives their credits back (TS3)', async () => {
    const { harness, out, arrive, input } = await ready();
    const waiting = await arrive(input, 1, 2);
    input.lose();
    await harness.advance();
    expect(out).toEqual([]);
    expect(waiting.map((record) => harness.endOf(record))).toEqual([undefined, undefined]);
    expect(harness.inFlight.size).toBe(0);
    expect(harness.leftovers()).toEqual({});
  });

  it('leaves them also when the partition goes while a transaction of it fails', async () => {
    const { harness, out, arrive, input } = await ready();
    await arrive(input, 0);
    input.lose();
    out[0]!.answer({ kind: 'failed', failure: OUTAGE });
    await harness.advance();
    expect(out).toHaveLength(1);
    expect(harness.leftovers()).toEqual({});
  });

  it('leaves what is delivered to the group’s offset when the ledger stops before it has the end (TS1)', async () => {
    const { harness, out, arrive, input } = await ready();
    jest.spyOn(harness.acknowledgments, 'finish').mockRejectedValue(new LedgerStoppedError());
    await arrive(input, 0);
    out[0]!.commit();
    await harness.advance();
    expect(harness.books.ended.size).toBe(0);
    expect(harness.leftovers()).toEqual({});
  });

  it('sends no dead letter again, since no offset stands for it', async () => {
    const { harness, out } = await ready();
    const fields = { id: 'in:0:0', source: 'kafka' } as const;
    const [again] = await harness.accept([0], { fields });
    await harness.advance();
    expect(out).toEqual([]);
    expect(harness.endOf(again!)).toBe('dead-lettered: rejected');
    expect(harness.leftovers()).toEqual({});
  });

  it('answers everything at the stop', async () => {
    const { harness, sink, out, arrive, input } = await ready();
    await arrive(input, 0, 2);
    out[0]!.answer({ kind: 'failed', failure: OUTAGE });
    await harness.advance();
    await sink.stop();
    await harness.advance();
    expect(sink.status().producer.queuedRecords).toBe(0);
    await sink.stop();
  });
});
