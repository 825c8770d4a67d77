import { StageHarness } from '../../test/support/stage-harness.js';
import { makeRecord } from '../../test/support/ledger.js';
import type { PipelineRecord } from './record.js';

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('Settlement', () => {
  it('tells each origin of its own records, in batches', async () => {
    const { settlement, books } = new StageHarness();
    const told: number[] = [];
    const origin = { settled: (records: readonly PipelineRecord[]) => told.push(records.length) };
    const other = { settled: (records: readonly PipelineRecord[]) => told.push(-records.length) };
    const records = [origin, other, origin].map((each) => makeRecord({ origin: each }));
    for (const record of records) books.journal.set(record.id, record);
    const terminal = { status: 'acknowledged' } as const;
    await settlement.finish(
      records.map((record) => ({ record, terminal, attempts: 1, destination: 'memory' })),
    );
    expect(told).toEqual([2, -1]);
    expect(records.map((record) => record.terminal)).toEqual([terminal, terminal, terminal]);
  });

  it('asks the books nothing for nothing', async () => {
    const harness = new StageHarness();
    const finish = jest.spyOn(harness.acknowledgments, 'finish');
    expect(await harness.settlement.finish([])).toEqual([]);
    expect(finish).not.toHaveBeenCalled();
  });

  it('never exceeds the bound of dead letters, however many come at once (S3)', async () => {
    const harness = await new StageHarness({
      definition: {
        egress: () => {
          throw Object.assign(new Error('x'), { status: 400 });
        },
      },
      maxDeadLetters: 7,
    }).start();
    await harness.accept(numbers(20));
    await harness.advance(30_000);
    const letters = [...harness.books.ended.values()];
    expect(letters).toHaveLength(7);
    expect(harness.outstanding('AsyncEgress')).toBe(13);
    harness.maxDeadLetters = 20;
    await harness.advance(30_000);
    expect(harness.books.ended.size).toBe(20);
    expect(harness.leftovers()).toEqual({});
  });

  it('ends the wait for room with the pipeline; the record stays in the journal', async () => {
    const harness = await new StageHarness({ maxDeadLetters: 0 }).start();
    const { settlement } = harness;
    // Not one that flows through the stages meanwhile.
    const record = makeRecord();
    harness.books.journal.set(record.id, record);
    const wait = settlement.deadLetter({ record, attempts: 1, destination: 'egress' }, 'rejected');
    settlement.stop();
    await expect(wait).rejects.toThrow('The pipeline stops.');
    expect(settlement.isBlocked).toBe(false);
    expect(harness.books.journal.has(record.id)).toBe(true);
  });
});
