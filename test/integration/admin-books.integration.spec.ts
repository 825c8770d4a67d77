import { startApplication, type TestApplication } from '../support/application.js';
import { order } from '../support/orders.js';
import { until } from '../support/until.js';

const headers = { authorization: 'Bearer secret-token', host: 'localhost' };

describe('the books by the admin API', () => {
  let service: TestApplication;
  const ids: string[] = [];
  beforeAll(async () => {
    service = await startApplication({
      ADMIN_TOKEN: 'secret-token',
      INSTANCE_ID: 'replica-1',
      KEYGEN_NUMBER_OF_PARTITIONS: '3',
      MONITORING_INTERVAL_MS: '50',
    });
    for (let i = 0; i < 7; i += 1) {
      const payload = { payload: order('c', i) };
      const answer = await service.app.inject({ method: 'POST', url: '/v1/records', payload });
      ids.push(answer.json().id);
    }
    await until(async () => (await get('conservation')).acknowledged === 7, {
      what: 'all are delivered',
    });
  });
  afterAll(() => service.close());

  const get = async (path: string) =>
    (await service.app.inject({ url: `/v1/admin/${path}`, headers })).json();
  const idsOf = (page: { acknowledgments: { recordId: string }[] }) =>
    page.acknowledgments.map(({ recordId }) => recordId);

  it('pages through acknowledgments, newest first, each once', async () => {
    const seen: string[] = [];
    let cursor = '';
    for (let pages = 0; pages < 5; pages += 1) {
      const page = await get(`acknowledgments?limit=3${cursor}`);
      seen.push(...idsOf(page));
      if (page.next === null) break;
      cursor = `&cursor=${page.next}`;
    }
    expect(seen).toEqual(ids.toReversed());
    const [first] = (await get('acknowledgments')).acknowledgments;
    expect(first).toEqual({
      recordId: ids.at(-1),
      destination: 'postgres',
      outcome: 'acknowledged',
      tenant: 'default',
      attempts: 1,
      acceptedAt: expect.any(String),
      acknowledgedAt: expect.any(String),
      externalId: null,
      reason: null,
    });
  });

  it('filters by record, destination, outcome and time of acceptance', async () => {
    expect(idsOf(await get(`acknowledgments?recordId=${ids[2]}`))).toEqual([ids[2]]);
    expect(idsOf(await get('acknowledgments?destination=kafka'))).toEqual([]);
    expect(idsOf(await get('acknowledgments?outcome=discarded'))).toEqual([]);
    expect(idsOf(await get('acknowledgments?outcome=acknowledged&limit=2'))).toHaveLength(2);
    expect(idsOf(await get('acknowledgments?since=2020-01-01T00:00:00Z'))).toHaveLength(7);
    expect(idsOf(await get('acknowledgments?until=2020-01-01T00:00:00Z'))).toEqual([]);
    expect(idsOf(await get('acknowledgments?recordId=orders:0:17'))).toEqual([]);
    expect(idsOf(await get('acknowledgments?recordId=nonsense'))).toEqual([]);
  });

  it('says the rule of a limit as a whole sentence', async () => {
    const answer = await service.app.inject({ url: '/v1/admin/acknowledgments?limit=x', headers });
    expect(answer.json().detail).toBe(
      'The parameter limit must be a whole number between 1 and 1000.',
    );
  });

  it.each([
    'limit=0',
    'limit=5000',
    'since=yesterday',
    'outcome=lost',
    'cursor=bm9wZQ',
    'nothing=1',
  ])('answers 400 to %s, naming the parameter', async (query) => {
    const answer = await service.app.inject({
      url: `/v1/admin/acknowledgments?${query}`,
      headers,
    });
    expect(answer.statusCode).toBe(400);
    expect(answer.json().detail).toContain(`parameter ${query.split('=')[0]}`);
  });

  it('says who has which partition, and what is in it', async () => {
    const partitions = await get('partitions');
    expect(partitions).toEqual(
      [0, 1, 2].map((partition) => ({
        partition,
        owner: 'replica-1',
        isOwn: true,
        leaseExpiresAt: expect.any(String),
        inFlight: 0,
        journalRecords: 0,
      })),
    );
  });

  it('shows what is in flight of each partition', async () => {
    const url = '/v1/admin/sinks/postgres/';
    await service.app.inject({ method: 'POST', url: `${url}pause`, headers });
    try {
      const payload = { payload: order('c', 99) };
      await service.app.inject({ method: 'POST', url: '/v1/records', payload });
      const partitions: Record<'inFlight' | 'journalRecords', number>[] = await get('partitions');
      expect(partitions.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(1);
      expect(partitions.reduce((sum, { journalRecords }) => sum + journalRecords, 0)).toBe(1);
    } finally {
      await service.app.inject({ method: 'POST', url: `${url}resume`, headers });
    }
  });

  it('is balanced, and says so', async () => {
    const conservation = await until(
      async () => {
        const books = await get('conservation');
        return books.inFlight === 0 ? books : undefined;
      },
      { what: 'nothing is in flight' },
    );
    expect(conservation).toMatchObject({ balanced: true, sources: { kafka: { accepted: 0 } } });
  });

  it('lists where records come from and go', async () => {
    expect(await get('sources')).toEqual([{ name: 'rest', paused: false }]);
    expect(await get('sinks')).toMatchObject([{ name: 'postgres', paused: false, state: 'ready' }]);
  });

  it('lists the other replicas that were heard of', async () => {
    const row = { state: 'running', startedAt: '2026-01-01T00:00:00.000Z' };
    await service.database.pool.query(
      `INSERT INTO setting (name, value, expires_at, changed_by)
       VALUES ('instance:replica-2', $1, now() + interval '1 minute', 'replica-2')`,
      [JSON.stringify(row)],
    );
    const peers = await until(
      async () => {
        const { peers: seen } = await get('pipeline');
        return seen.length > 0 ? seen : undefined;
      },
      { what: 'the other replica is seen' },
    );
    expect(peers).toEqual([{ instance: 'replica-2', seenAt: expect.any(String), ...row }]);
  });
});
