import { Logger } from '@nestjs/common';
import { OutcomeUnknownError } from '../ledger/errors/outcome-unknown.error.js';
import type { PreprocessContext } from '../pipeline/definition.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { StandardSchemaV1 } from '../pipeline/standard-schema.js';
import { InMemoryBooks, InMemoryJournal } from '../../test/support/in-memory-ledger.js';
import { Gate, StageHarness } from '../../test/support/stage-harness.js';

type Check = (value: unknown) => ReturnType<StandardSchemaV1['~standard']['validate']>;
const schemaOf = (validate: Check): StandardSchemaV1 => ({
  '~standard': { version: 1, vendor: 'test', validate },
});
const numbersOnly = schemaOf((value) =>
  typeof value === 'number'
    ? { value }
    : { issues: [{ message: 'must be a number', path: ['a/b', { key: 0 }, '~c'] }] },
);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const kinds = (records: readonly PipelineRecord[]): (string | undefined)[] =>
  records.map(({ verdict }) => verdict?.kind);
const bodies = (harness: StageHarness): string[] =>
  [...harness.books.ended.values()].map(({ record }) => record.body?.toString() ?? '');

describe('IngressStage', () => {
  it('accepts after the journal has the record, and stamps the moment', async () => {
    const harness = await new StageHarness().start();
    const [record] = await harness.accept([1]);
    expect(record).toMatchObject({
      verdict: { kind: 'accepted' },
      acceptedAtMs: harness.clock.wallNow(),
    });
    await harness.advance();
    expect(harness.endOf(record!)).toBe('acknowledged');
  });

  it('answers an invalid record with JSON pointers, and gives its credits back', async () => {
    const harness = await new StageHarness({ definition: { schema: numbersOnly } }).start();
    const [record] = await harness.accept(['text']);
    expect(record?.verdict).toEqual({
      kind: 'invalid',
      issues: [{ path: '/a~1b/0/~0c', message: 'must be a number' }],
    });
    expect(harness.leftovers()).toEqual({});
    expect(harness.ingress.inside).toBe(0);
  });

  it('lets valid records pass at full rate after twice its credits of invalid ones', async () => {
    const harness = await new StageHarness({
      definition: { schema: numbersOnly },
      capacity: { IngressProcessing: 50 },
      ingress: { maxBufferSize: 50 },
    }).start();
    for (let i = 0; i < 10; i += 1) await harness.accept(Array.from({ length: 10 }, () => 'text'));
    const { records, done } = harness.submit(numbers(50), { admitByMs: 0 });
    await done;
    expect(new Set(kinds(records))).toEqual(new Set(['accepted']));
    await harness.advance();
    expect(harness.leftovers()).toEqual({});
  });

  it('keeps the buffer at what is inside after any mix of ends', async () => {
    const preprocess = (n: number, { discard }: PreprocessContext): unknown => {
      if (n % 4 === 1) throw new Error('of the definition');
      return n % 4 === 2 ? discard('every fourth') : n;
    };
    const harness = await new StageHarness({
      definition: { schema: numbersOnly, preprocess },
      capacity: { FinalSink: 1 },
    }).start();
    const hold = harness.controller.requestCredits('FinalSink', 1);
    harness.controller.requestCredits('AsyncEgress', 19_999)?.release(0);
    await harness.accept([0, 1, 2, 3, 'text', 4, 5, 6, 'text', 7]);
    expect(harness.ingress.inside).toBe(harness.outstanding('IngressProcessing'));
    hold?.release();
    await harness.advance(60_000);
    expect(harness.ingress.inside).toBe(0);
  });

  it('holds validation and preprocessing off when told (INGRESS_ENABLE_VALIDATION, INGRESS_ENABLE_PREPROCESSING)', async () => {
    const definition = { schema: numbersOnly, preprocess: () => 'changed' };
    const off = { enableValidation: false, enablePreprocessing: false };
    const harness = await new StageHarness({ definition, ingress: off }).start();
    await harness.accept(['text']);
    await harness.advance();
    expect(bodies(harness)).toEqual(['"text"']);
  });

  it('takes a schema that would have to be awaited for a pipeline error that says so', async () => {
    const schema = schemaOf(() => Promise.reject(new Error('late')));
    const harness = await new StageHarness({ definition: { schema } }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toMatchObject({
      kind: 'refused',
      error: {
        step: 'schema',
        message: "The pipeline's schema returned a promise, but validation is synchronous.",
      },
    });
  });

  it.each([
    [
      'throws',
      (): never => {
        throw new Error('x');
      },
      'threw (Error)',
    ],
    [
      'returns a promise',
      () => Promise.reject(new Error('late')),
      'returned a promise, but it must be synchronous',
    ],
    ['returns nothing', () => undefined, 'must return a JSON value (got nothing)'],
    ['returns a function', () => () => 1, 'must return a JSON value (got a function)'],
    ['returns a bigint', () => 10n, 'returned what JSON cannot hold'],
  ])('refuses a record whose preprocess %s as a pipeline error', async (_, preprocess, what) => {
    const harness = await new StageHarness({ definition: { preprocess } }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toMatchObject({
      kind: 'refused',
      error: { step: 'preprocess', message: `The pipeline's preprocess ${what}.` },
    });
    expect(harness.leftovers()).toEqual({});
  });

  it('takes a schema that throws for a pipeline error', async () => {
    const schema = schemaOf(() => {
      throw new TypeError('x');
    });
    const harness = await new StageHarness({ definition: { schema } }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toMatchObject({ error: { step: 'schema' } });
  });

  it('gives preprocess the validated value, the key and the headers', async () => {
    const seen: unknown[] = [];
    const schema = schemaOf((value) => ({ value: { wrapped: value } }));
    const preprocess = (value: unknown, context: PreprocessContext): unknown => {
      seen.push([value, context.key, context.headers]);
      return value;
    };
    const harness = await new StageHarness({ definition: { schema, preprocess } }).start();
    await harness.accept([1], { keys: ['k'] });
    expect(seen).toEqual([[{ wrapped: 1 }, 'k', {}]]);
  });

  it('delivers what preprocess returned, written as JSON', async () => {
    const preprocess = (order: object): object => ({ ...order, total: 3 });
    const harness = await new StageHarness({ definition: { preprocess } }).start();
    await harness.accept([{ a: 1 }], { bodies: [Buffer.from('{ "a" : 1 }')] });
    await harness.advance();
    expect(bodies(harness)).toEqual(['{"a":1,"total":3}']);
  });

  it('delivers the sender’s bytes when preprocess returns what it got, whatever the schema made of it', async () => {
    const schema = schemaOf(() => ({ value: { filled: 'in' } }));
    const definition = { schema, preprocess: (order: unknown) => order };
    const harness = await new StageHarness({ definition }).start();
    await harness.accept([{ a: 1 }, { b: 2 }], { bodies: [Buffer.from('{ "a" : 1 }')] });
    await harness.advance();
    expect(bodies(harness)).toEqual(['{ "a" : 1 }', '{"b":2}']);
  });

  it('enters a discarded record in the books with its reason, and accepts nothing', async () => {
    const preprocess = (_: unknown, { discard }: PreprocessContext): unknown =>
      discard('test order');
    const harness = await new StageHarness({ definition: { preprocess } }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toEqual({ kind: 'discarded', reason: 'test order' });
    expect(harness.endOf(record!)).toBe('discarded: test order');
    expect(harness.inFlight.size).toBe(0);
    expect(harness.leftovers()).toEqual({});
  });

  it.each(['accept', 'discard'])(
    'refuses with the journal’s error when it can’t %s',
    async (what) => {
      const preprocess = (n: unknown, { discard }: PreprocessContext): unknown =>
        what === 'discard' ? discard('x') : n;
      const harness = await new StageHarness({ definition: { preprocess } }).start();
      harness.journal.failure = new OutcomeUnknownError(1);
      const [record] = await harness.accept([1]);
      expect(record?.verdict).toEqual({ kind: 'refused', error: harness.journal.failure });
      expect(harness.inFlight.size).toBe(0);
      expect(harness.leftovers()).toEqual({});
      expect(harness.ingress.inside).toBe(0);
    },
  );
});

describe('The buffer of IngressProcessing', () => {
  /** A pipeline that stands still behind IngressProcessing. */
  async function blocked(maxBufferSize: number, bufferTimeoutMs = 1000): Promise<StageHarness> {
    const harness = await new StageHarness({
      ingress: { maxBufferSize, bufferTimeoutMs },
      capacity: { AsyncEgress: 1 },
    }).start();
    harness.controller.requestCredits('AsyncEgress', 1);
    return harness;
  }

  it('takes a record no further whose idempotency key has an earlier one, and gives its credits back', async () => {
    const harness = await new StageHarness().start();
    const idempotencyKey = { key: 'k', fingerprint: Buffer.from('one') };
    const other = { key: 'k', fingerprint: Buffer.from('other') };
    const [first] = await harness.accept([1], { fields: { idempotencyKey } });
    const [again] = await harness.accept([1], { fields: { idempotencyKey } });
    const [reused] = await harness.accept([2], { fields: { idempotencyKey: other } });
    expect(again?.verdict).toEqual({ kind: 'replayed', earlierId: first!.id });
    expect(reused?.verdict).toEqual({
      kind: 'refused',
      error: expect.objectContaining({ code: 'LEDGER_IDEMPOTENCY_KEY_REUSED' }),
    });
    await harness.advance();
    expect(bodies(harness)).toEqual(['1']);
    expect(harness.leftovers()).toEqual({});
    expect(harness.ingress.inside).toBe(0);
  });

  it('holds at most INGRESS_MAX_BUFFER_SIZE records', async () => {
    const harness = await blocked(5);
    harness.submit(numbers(8));
    await harness.advance();
    expect(harness.ingress.inside).toBe(5);
    expect(harness.books.journal.size).toBe(5);
  });

  it('refuses what has waited for room for INGRESS_BUFFER_TIMEOUT_MS, before the durable accept', async () => {
    const harness = await blocked(2, 700);
    const { records, done } = harness.submit(numbers(4), { admitByMs: 60_000 });
    await harness.advance(699);
    expect(kinds(records)).toEqual(['accepted', 'accepted', undefined, undefined]);
    await harness.advance(1);
    await done;
    expect(kinds(records)).toEqual(['accepted', 'accepted', 'refused', 'refused']);
    expect(records[3]?.verdict).toMatchObject({
      error: { stage: 'IngressProcessing', signal: 'queue' },
    });
    expect(harness.books.journal.size).toBe(2);
    expect(harness.outstanding('IngressProcessing')).toBe(2);
  });

  it('lets what its source holds wait as long as it takes', async () => {
    const harness = await blocked(1);
    const { records } = harness.submit(numbers(2));
    await harness.advance(600_000);
    expect(kinds(records)).toEqual(['accepted', undefined]);
  });

  it('serves first in, first out, and no later slice passes a waiting one', async () => {
    const harness = await new StageHarness({
      ingress: { maxBufferSize: 2 },
      capacity: { AsyncEgress: 2 },
    }).start();
    const hold = harness.controller.requestCredits('AsyncEgress', 2);
    const slices = [3, 2, 1].map((count) => harness.submit(numbers(count)));
    await harness.advance();
    hold?.release();
    await harness.advance(20_000);
    await Promise.all(slices.map(({ done }) => done));
    const ids = slices.flatMap(({ records }) => records.map(({ id }) => id));
    expect([...harness.books.ended.keys()]).toEqual(ids);
    expect(harness.leftovers()).toEqual({});
  });

  it('refuses a slice whose caller leaves while it waits, at its turn or before', async () => {
    const harness = await blocked(1);
    harness.submit([0]);
    const [first, second] = [new AbortController(), new AbortController()];
    const atTurn = harness.submit([1], { signal: first.signal });
    const before = harness.submit([2], { signal: second.signal });
    second.abort();
    await before.done;
    first.abort();
    await atTurn.done;
    expect([...kinds(atTurn.records), ...kinds(before.records)]).toEqual(['refused', 'refused']);
    expect(harness.ingress.inside).toBe(1);
  });

  it('refuses at once when its time is up before it comes', async () => {
    const harness = await blocked(1);
    harness.submit([0]);
    const late = harness.submit([1], { admitByMs: 0 });
    await late.done;
    expect(kinds(late.records)).toEqual(['refused']);
  });
});

describe('Recovery', () => {
  const leftBy = async (count: number): Promise<{ books: InMemoryBooks; ids: string[] }> => {
    const before = await new StageHarness({
      definition: { egress: () => new Promise(() => undefined) },
    }).start();
    await before.accept(numbers(count));
    return { books: before.books, ids: [...before.books.journal.keys()] };
  };

  it('carries on what an earlier run accepted, in order and before newer records', async () => {
    const { books, ids } = await leftBy(5);
    const harness = await new StageHarness({ books }).start();
    const newer = await harness.accept(numbers(3));
    await harness.advance(1000);
    expect([...books.ended.keys()]).toEqual([...ids, ...newer.map(({ id }) => id)]);
    expect(harness.leftovers()).toEqual({});
  });

  it('gives the pipeline credits of recovered records to the next of them, never to newer ones', async () => {
    const { books, ids } = await leftBy(20);
    const harness = await new StageHarness({ books, pipelineCapacity: 8 }).start();
    expect(harness.controller.tryAdmit(1, 1)).toBeUndefined();
    await harness.advance(60_000);
    const newer = await harness.accept([1]);
    await harness.advance(60_000);
    expect([...books.ended.keys()]).toEqual([...ids, newer[0]?.id]);
    expect(harness.leftovers()).toEqual({});
  });

  it('takes a flush in doubt into the line when it is settled', async () => {
    const harness = await new StageHarness().start();
    const [doubtful] = await harness.accept([1]);
    await harness.advance();
    harness.journal.settleInDoubt([{ ...doubtful!, id: 'kept after all' }]);
    await harness.advance(1000);
    expect(harness.books.ended.has('kept after all')).toBe(true);
    expect(harness.leftovers()).toEqual({});
  });

  it('leaves the rest to the journal when the pipeline stops', async () => {
    const { books } = await leftBy(6);
    const gate = new Gate<BackToBack>();
    const journal = jest
      .spyOn(InMemoryJournal.prototype, 'load')
      .mockImplementation(() => gate.promise);
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const harness = await new StageHarness({ books, pipelineCapacity: 2 }).start();
    await harness.advance();
    await harness.stop();
    gate.fail(new Error('The ledger stops.'));
    await harness.advance();
    expect(books.journal.size).toBe(6);
    expect(logged).not.toHaveBeenCalled();
    for (const mock of [journal, logged]) mock.mockRestore();
  });
});

type BackToBack = PipelineRecord[];
