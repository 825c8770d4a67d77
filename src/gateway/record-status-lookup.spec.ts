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

const lookupOf = (answer?: RecordStatus | AbsentPosition): RecordStatusLookup =>
  new RecordStatusLookup(new InFlight(), new OneAnswer(answer));
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
