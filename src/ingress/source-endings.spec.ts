import { Logger } from '@nestjs/common';
import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { StandardSchemaV1 } from '../pipeline/standard-schema.js';
import { type HarnessOptions, StageHarness } from '../../test/support/stage-harness.js';

const numbersOnly: StandardSchemaV1 = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'number'
        ? { value }
        : { issues: [{ message: 'must be\0a number', path: ['a'] }] },
  },
};

async function take(
  payload: unknown,
  definition: Partial<AnyPipelineDefinition> = {},
  fields: Partial<PipelineRecord> = {},
  options: HarnessOptions = {},
): Promise<{ harness: StageHarness; record: PipelineRecord }> {
  const harness = await new StageHarness({ definition, ...options }).start();
  const { records, done } = harness.submit([payload], { fields: { source: 'kafka', ...fields } });
  await done;
  await harness.advance();
  return { harness, record: records[0]! };
}

function expectNothingLeft({ inFlight, keygen, ...harness }: StageHarness): void {
  expect(inFlight.size).toBe(0);
  expect(keygen.load.counts().every((count) => count === 0)).toBe(true);
  expect(harness.books.journal.size).toBe(0);
}

describe('A record of Kafka', () => {
  beforeAll(() => Logger.overrideLogger(false));

  it('is accepted without the journal, and delivered with the bytes it came with', async () => {
    const body = Buffer.from('{ "a" : 1 }');
    const { harness, record } = await take({ a: 1 }, {}, { body });
    expect(record.verdict).toEqual({ kind: 'accepted' });
    expect(harness.journal.snapshot().flushes).toBe(0);
    expect(harness.settled).toEqual([record]);
    expect(record.body).toBe(body);
    expectNothingLeft(harness);
    expect(harness.leftovers()).toEqual({});
  });

  it('that is invalid is a dead letter with what is wrong, as text that can be kept', async () => {
    const { harness, record } = await take('text', { schema: numbersOnly });
    expect(harness.endOf(record)).toBe('dead-lettered: validation');
    expect(record.failures).toEqual([
      {
        atMs: harness.clock.wallNow(),
        stage: 'IngressProcessing',
        destination: '',
        error: '/a: must be\uFFFDa number.',
      },
    ]);
    expect(harness.settled).toEqual([record]);
    expectNothingLeft(harness);
    expect(harness.leftovers()).toEqual({});
  });

  it('that could not be read is a dead letter; no function of the pipeline sees it', async () => {
    const never = jest.fn();
    const issues = [{ path: '', message: 'must be JSON in UTF-8' }];
    const verdict = { kind: 'invalid', issues } as const;
    const { harness, record } = await take(
      undefined,
      { key: never, preprocess: never, schema: numbersOnly },
      { verdict },
    );
    expect(harness.endOf(record)).toBe('dead-lettered: validation');
    expect(record.failures?.[0]?.error).toBe('must be JSON in UTF-8.');
    expect(never).not.toHaveBeenCalled();
    expectNothingLeft(harness);
  });

  it.each(['key', 'preprocess'] as const)(
    'whose %s throws is a dead letter `pipeline`',
    async (step) => {
      const fail = (): never => {
        throw new Error('secret');
      };
      const { harness, record } = await take(1, { [step]: fail });
      expect(harness.endOf(record)).toBe('dead-lettered: pipeline');
      expect(record.failures?.[0]?.error).toBe(`The pipeline's ${step} threw (Error).`);
      expectNothingLeft(harness);
      expect(harness.leftovers()).toEqual({});
    },
  );

  it('that preprocess discards ends with its reason', async () => {
    const { harness, record } = await take(1, { preprocess: (_, { discard }) => discard('a\0b') });
    expect(harness.endOf(record)).toBe('discarded: a\uFFFDb');
    expectNothingLeft(harness);
    expect(harness.leftovers()).toEqual({});
  });

  it('with an unsafe number goes on as it is, unless the pipeline writes it anew', async () => {
    const body = Buffer.from('{"n":12345678901234567890}');
    const fields = { body, unsafeNumber: '/n' };
    const kept = await take({ n: 1 }, {}, fields);
    expect(kept.harness.endOf(kept.record)).toBe('acknowledged');
    expect(kept.record.body).toBe(body);
    for (const definition of [{ preprocess: () => 1 }, { egress: () => 1 }]) {
      const { harness, record } = await take({ n: 1 }, definition, fields);
      expect(harness.endOf(record)).toBe('dead-lettered: unsafe-number');
      expect(record.failures?.[0]?.error).toContain('/n: must be a number that fits a double');
      expectNothingLeft(harness);
      expect(harness.leftovers()).toEqual({});
    }
  });

  it('may become other bytes, which are delivered as they are', async () => {
    const other = new Uint8Array([1, 2]);
    for (const definition of [{ preprocess: () => other }, { egress: () => other }]) {
      const { record } = await take(Buffer.from('x'), { format: 'bytes', ...definition });
      expect(record.body).toEqual(Buffer.from([1, 2]));
    }
  });

  it('that is a tombstone stays one', async () => {
    const { record } = await take(null, { format: 'bytes' }, { body: null });
    expect(record).toMatchObject({ body: null, terminal: { status: 'acknowledged' } });
  });

  it('waits with its place and credit while the dead letters are full, and ends when there is room', async () => {
    const { harness, record } = await take(
      'text',
      { schema: numbersOnly },
      {},
      { maxDeadLetters: 0 },
    );
    expect(harness.endOf(record)).toBeUndefined();
    expect(harness.ingress.inside).toBe(1);
    expect(harness.outstanding('IngressProcessing')).toBe(1);
    harness.maxDeadLetters = 1;
    await harness.advance(1000);
    expect(harness.endOf(record)).toBe('dead-lettered: validation');
    expect(harness.leftovers()).toEqual({});
  });

  it('is left to its offset when the books can’t take its end', async () => {
    for (const definition of [
      { schema: numbersOnly },
      {
        preprocess: (_: never, { discard }: { discard: (reason: string) => unknown }) =>
          discard('x'),
      },
    ]) {
      const harness = await new StageHarness({ definition }).start();
      jest.spyOn(harness.acknowledgments, 'finish').mockRejectedValue(new Error('stopped'));
      const { done } = harness.submit(['text'], { fields: { source: 'kafka' } });
      await done;
      await harness.advance();
      expect(harness.settled).toEqual([]);
      expectNothingLeft(harness);
      expect(harness.leftovers()).toEqual({});
    }
  });
});
