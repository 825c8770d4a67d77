import { InMemoryAcknowledgments, InMemoryBooks } from '../../../test/support/in-memory-ledger.js';
import { makeRecord } from '../../../test/support/ledger.js';
import { StageHarness } from '../../../test/support/stage-harness.js';
import { sinkOptions } from '../final-sink.options.js';
import { PostgresSink } from './postgres.sink.js';

const makeSink = (books: InMemoryBooks, acknowledgments = new InMemoryAcknowledgments(books)) =>
  new PostgresSink(acknowledgments, {
    name: 'postgres',
    isShared: false,
    table: 'delivered',
    ensureTable: async () => undefined,
  });

describe('PostgresSink', () => {
  it('tells of an outage when the ledger stops: the journal keeps the records', async () => {
    const books = new InMemoryBooks();
    const acknowledgments = new InMemoryAcknowledgments(books);
    jest.spyOn(acknowledgments, 'finish').mockRejectedValue(new Error('The ledger has stopped.'));
    const outcomes = await makeSink(books, acknowledgments).deliver([makeRecord()]);
    expect(outcomes).toEqual([
      { kind: 'failed', failure: { kind: 'outage', message: 'The ledger has stopped.' } },
    ]);
  });

  it('ends records by its own commit, whatever FINAL_SINK_REQUIRE_ACKNOWLEDGMENT says', async () => {
    for (const requireAcknowledgment of [true, false]) {
      const books = new InMemoryBooks();
      const harness = await new StageHarness({
        books,
        sink: makeSink(books),
        finalSink: { requireAcknowledgment },
      }).start();
      const records = await harness.accept([1, 2]);
      await harness.advance();
      expect(harness.settled).toEqual(records);
      expect(books.outputs.get('delivered')).toHaveLength(2);
      expect(harness.leftovers()).toEqual({});
    }
  });

  it('is believed after its timeout too: what is in the books has its end', async () => {
    const books = new InMemoryBooks();
    const acknowledgments = new InMemoryAcknowledgments(books);
    const finish = acknowledgments.finish.bind(acknowledgments);
    let open = (): void => undefined;
    jest.spyOn(acknowledgments, 'finish').mockImplementationOnce(async (endings) => {
      await new Promise<void>((resolve) => (open = resolve));
      return finish(endings);
    });
    const harness = await new StageHarness({
      books,
      sink: makeSink(books, acknowledgments),
      finalSink: { acknowledgmentTimeoutMs: 100, maxRetries: 1 },
    }).start();
    const records = await harness.accept([1]);
    await harness.advance(60_000);
    expect(harness.finalSink.snapshot()).toMatchObject({ timedOut: 1 });
    expect(harness.settled).toEqual([]);
    open();
    await harness.advance();
    expect(harness.settled).toEqual(records);
    expect(harness.leftovers()).toEqual({});
  });
});

describe('SINK_TABLE', () => {
  it.each(['a b', 'x;y', 'a.b.c', '"quoted"'])('is never %p', (sinkTable) => {
    expect(sinkOptions.schema.safeParse({ sinkTable }).error?.issues[0]?.message).toContain(
      'must be a plain or schema-qualified table name',
    );
  });
});
