import { type AbsentPosition, RecordLookup, type RecordStatus } from '../ledger/lookup.port.js';
import { InFlight } from '../pipeline/in-flight.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { makeRecord } from '../../test/support/ledger.js';
import { FakeClock } from '../../test/support/fake-clock.js';
import { RecordStatusLookup } from './record-status-lookup.js';

class OneAnswer extends RecordLookup {
  constructor(private readonly answer: RecordStatus | AbsentPosition | undefined) {
    super();
  }

  find(): Promise<RecordStatus | AbsentPosition | undefined> {
    return Promise.resolve(this.answer);
  }

  findAll(): Promise<ReadonlyMap<string, RecordStatus>> {
    return Promise.resolve(new Map());
  }
}

const runtimeOf = (sinks: readonly string[]): StageRuntime => {
  const runtime = new StageRuntime({} as never, new FakeClock(), () => 0.5);
  for (const name of sinks) runtime.pauses.onSink(name, () => undefined);
  return runtime;
};
const lookupOf = (answer?: RecordStatus | AbsentPosition): RecordStatusLookup =>
  new RecordStatusLookup(new InFlight(), new OneAnswer(answer), runtimeOf(['postgres']));
const absent = (status: AbsentPosition['status']): AbsentPosition => ({
  id: 'orders:3:17',
  status,
  topic: 'orders',
  partition: 3,
  low: 2n ** 62n,
});
const AT = '2026-01-01T00:00:00.000Z';

describe('the status of a Kafka record', () => {
  it('names the watermark of its partition while it has not been seen', async () => {
    await expect(lookupOf(absent('not-seen')).find('orders:3:17')).rejects.toMatchObject({
      code: 'not-found',
      status: 404,
      message: expect.stringMatching(/Partition 3 of orders .* offset 4611686018427387904 /),
    });
  });

  it('is a problem of its own once retention has dropped it', async () => {
    await expect(lookupOf(absent('expired')).find('orders:3:17')).rejects.toMatchObject({
      code: 'expired',
      status: 404,
    });
  });

  it('shows the run of a plain acknowledgment, with offsets as text', async () => {
    const acknowledgedAt = new Date(AT);
    const run = { firstOffset: 2n ** 62n, lastOffset: 2n ** 62n + 4n, records: 3, acknowledgedAt };
    const status = { id: 'orders:3:17', status: 'acknowledged', acknowledgments: [] } as const;
    const found = lookupOf({ ...status, endedAt: acknowledgedAt, run });
    await expect(found.find('orders:3:17')).resolves.toEqual({
      ...status,
      endedAt: AT,
      run: {
        firstOffset: '4611686018427387904',
        lastOffset: '4611686018427387908',
        records: 3,
        acknowledgedAt: AT,
      },
    });
  });
});

describe('the status of a record in flight', () => {
  const record = makeRecord({ stage: 'FinalSink' });
  const part = { destination: 'kafka', attempts: 2, acknowledgedAt: new Date(AT) };
  const inBooks = (status: RecordStatus['status']): RecordStatus => ({
    id: record.id,
    status,
    tenant: 'default',
    acknowledgments: [part],
  });
  const findWith = (books: OneAnswer, sinks: readonly string[]) => {
    const inFlight = new InFlight();
    inFlight.add([record]);
    return new RecordStatusLookup(inFlight, books, runtimeOf(sinks)).find(record.id);
  };

  it('shows which of several sinks have acknowledged it', async () => {
    const books = new OneAnswer(inBooks('accepted'));
    expect(await findWith(books, ['kafka', 'callback'])).toMatchObject({
      status: 'accepted',
      stage: 'FinalSink',
      acknowledgments: [{ ...part, acknowledgedAt: AT }],
    });
  });

  it('is its end when the books have one by then', async () => {
    const found = await findWith(new OneAnswer(inBooks('acknowledged')), ['kafka', 'callback']);
    expect(found.status).toBe('acknowledged');
    expect(found).not.toHaveProperty('stage');
  });

  it('does not ask the books where there is one sink', async () => {
    const books = new OneAnswer(inBooks('accepted'));
    const find = jest.spyOn(books, 'find');
    expect(await findWith(books, ['kafka'])).toMatchObject({ acknowledgments: [] });
    expect(find).not.toHaveBeenCalled();
  });
});

describe('books that can not be read', () => {
  const findWith = (error: Error) => {
    const books = new OneAnswer(undefined);
    jest.spyOn(books, 'find').mockRejectedValue(error);
    return new RecordStatusLookup(new InFlight(), books, runtimeOf(['postgres'])).find('a');
  };

  it('are away, for now', async () => {
    const lost = Object.assign(new Error('lost'), { code: 'ECONNRESET' });
    await expect(findWith(lost)).rejects.toMatchObject({
      code: 'database-away',
      retryable: true,
      facts: { retryAfterMs: 5000 },
    });
  });

  it('are a fault of ours when the server refuses the statement', async () => {
    const refused = Object.assign(new Error('no such table'), { code: '42P01' });
    await expect(findWith(refused)).rejects.toBe(refused);
  });
});
