import { Logger } from '@nestjs/common';
import { StageHarness } from '../../test/support/stage-harness.js';
import { PipelineFunctionError } from '../pipeline/pipeline-function.error.js';
import type { StandardSchemaV1 } from '../pipeline/standard-schema.js';

const onlyNumbers: StandardSchemaV1 = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      typeof value === 'number' ? { value } : { issues: [{ message: 'must be a number' }] },
  },
};

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('KeyGenStage', () => {
  it('gives a key its partition of Kafka’s murmur2, in every process the same (N1)', async () => {
    const harness = await new StageHarness().start();
    const keys = ['21', 'abc', 'foobar', 'customer-42'];
    const records = await harness.accept(numbers(4), { keys });
    expect(records.map(({ partition }) => partition)).toEqual([0, 7, 6, 3]);
  });

  it('spreads over KEYGEN_NUMBER_OF_PARTITIONS', async () => {
    const harness = await new StageHarness({ keygen: { numberOfPartitions: 4 } }).start();
    const [record] = await harness.accept([1], { keys: ['customer-42'] });
    expect(record?.partition).toBe((-542987495 & 0x7fffffff) % 4);
  });

  it('replaces the sender’s key by the definition’s, as text', async () => {
    const harness = await new StageHarness({ definition: { key: (p: number) => p } }).start();
    const [record] = await harness.accept([42], { keys: ['of the sender'] });
    expect(record?.key).toBe('42');
  });

  it('takes undefined and null as no key', async () => {
    const harness = await new StageHarness({ definition: { key: () => null } }).start();
    const [record] = await harness.accept([1], { keys: ['of the sender'] });
    expect(record?.key).toBeUndefined();
    expect(record?.verdict).toEqual({ kind: 'accepted' });
  });

  it.each([
    ['an object', () => ({}) as unknown as string],
    ['a promise', () => Promise.resolve('a') as unknown as string],
    ['not a number', () => Number.NaN],
  ])('refuses a valid record whose key is %s as a pipeline error', async (_, key) => {
    const harness = await new StageHarness({ definition: { key } }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toMatchObject({
      kind: 'refused',
      error: { step: 'key', message: expect.stringContaining('must return a string, a number') },
    });
    await harness.advance();
    expect(harness.leftovers()).toEqual({});
  });

  it('answers an invalid payload as invalid even when its key can’t be computed', async () => {
    const key = (payload: number): string => {
      if (typeof payload !== 'number') throw new TypeError('no number');
      throw new Error('of the definition');
    };
    const harness = await new StageHarness({ definition: { key, schema: onlyNumbers } }).start();
    const [valid, invalid] = await harness.accept([1, 'text']);
    expect(valid?.verdict).toMatchObject({ kind: 'refused' });
    expect(valid?.verdict).toMatchObject({ error: expect.any(PipelineFunctionError) });
    expect(invalid?.verdict).toEqual({
      kind: 'invalid',
      issues: [{ path: '', message: 'must be a number' }],
    });
    expect(harness.keygen.load.counts().every((count) => count === 0)).toBe(true);
  });

  it('keeps the text of what was thrown out of the message: it may hold the payload', async () => {
    const key = (): string => {
      throw new RangeError('secret 4711');
    };
    const harness = await new StageHarness({ definition: { key } }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toMatchObject({
      error: {
        message: "The pipeline's key threw (RangeError).",
        cause: expect.any(RangeError),
      },
    });
  });

  it('counts a record in its partition until its end, whatever end that is', async () => {
    const harness = await new StageHarness({
      definition: { schema: onlyNumbers, egress: (n: number) => new Promise(() => n) },
    }).start();
    const total = (): number => harness.keygen.load.counts().reduce((a, b) => a + b, 0);
    await harness.accept([1, 2, 'invalid']);
    expect(total()).toBe(2);
    harness.settlement.leave([harness.inFlight.get([...harness.books.journal.keys()][0]!)!]);
    expect(total()).toBe(1);
  });

  it('counts records that an earlier run accepted', async () => {
    const harness = await new StageHarness().start();
    const [record] = await harness.accept([1], { keys: ['abc'] });
    await harness.advance();
    harness.inFlight.resume([{ ...record!, id: 'again' }]);
    expect(harness.keygen.load.counts()[7]).toBe(1);
  });

  it('refuses what finds no room in the line for IngressProcessing (KEYGEN_MAX_QUEUE_SIZE)', async () => {
    const harness = await new StageHarness({
      keygen: { maxQueueSize: 3 },
      capacity: { IngressProcessing: 2 },
    }).start();
    const hold = harness.controller.requestCredits('IngressProcessing', 2);
    const { records, done } = harness.submit(numbers(5), { admitByMs: 10_000 });
    await harness.advance();
    const refused = records.filter(({ verdict }) => verdict?.kind === 'refused');
    expect(refused).toEqual(records.slice(3));
    expect(refused[0]?.verdict).toMatchObject({ error: { stage: 'KeyGen', signal: 'queue' } });
    hold?.release();
    await harness.advance(20_000);
    await done;
  });

  it('reads critical when IngressProcessing stands still: its queue is what waits in it', async () => {
    const harness = await new StageHarness({
      keygen: { maxQueueSize: 100 },
      capacity: { KeyGen: 100, IngressProcessing: 1 },
    }).start();
    harness.controller.requestCredits('IngressProcessing', 1);
    harness.submit(numbers(100), { admitByMs: 60_000 });
    await harness.advance(2000);
    harness.controller.evaluate();
    const stage = harness.controller.getPipelineStatus().stages.find((s) => s.stage === 'KeyGen');
    expect(stage?.pressure).toBeGreaterThanOrEqual(0.8);
  });

  it('warns of an imbalance once, above KEYGEN_LOAD_IMBALANCE_THRESHOLD', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const harness = await new StageHarness({
      keygen: { loadImbalanceThreshold: 5 },
      definition: { egress: () => new Promise(() => undefined) },
    }).start();
    await harness.accept(numbers(5), { keys: Array.from({ length: 5 }, () => 'abc') });
    expect(warn).not.toHaveBeenCalled();
    await harness.accept(numbers(3), { keys: ['abc', 'abc', 'abc'] });
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^imbalance: partition 7 has 8 records in flight, partition 0 has 0/)],
    ]);
    warn.mockRestore();
  });
});
