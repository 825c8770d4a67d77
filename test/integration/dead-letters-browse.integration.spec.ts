import type { FailedAttempt } from '../../src/pipeline/record.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { writeLetter } from '../support/letters.js';

const PATH = '/v1/admin/dead-letters';
const FAILURE: FailedAttempt = {
  atMs: Date.UTC(2026, 0, 1),
  stage: 'AsyncEgress',
  destination: 'egress',
  error: 'answered 500',
  status: 500,
};

interface Page {
  readonly deadLetters: readonly Record<string, unknown>[];
  readonly next: string | null;
}

describe('GET /v1/admin/dead-letters', () => {
  let service: TestApplication;
  beforeAll(async () => {
    service = await startApplication({ ADMIN_TOKEN: 'secret-token' });
  });
  afterAll(() => service.close());
  beforeEach(() => service.database.pool.query('TRUNCATE dead_letter'));

  const headers = { host: 'localhost', authorization: 'Bearer secret-token' };
  const get = async (query: string): Promise<{ code: number; body: Record<string, unknown> }> => {
    const answer = await service.app.inject({ url: `${PATH}${query}`, headers });
    return { code: answer.statusCode, body: answer.json() };
  };
  const page = async (query: string): Promise<Page> => {
    const { code, body } = await get(query);
    expect(code).toBe(200);
    return body as unknown as Page;
  };
  const write = (letter: Parameters<typeof writeLetter>[1] = {}): Promise<string> =>
    writeLetter(service.database.pool, letter);

  it('is for bearers of the token only', async () => {
    for (const [method, url] of [
      ['GET', PATH],
      ['GET', `${PATH}/1`],
      ['GET', `${PATH}/summary`],
      ['POST', `${PATH}/1/redrive`],
      ['DELETE', `${PATH}/1?reason=x`],
    ] as const) {
      const answer = await service.app.inject({ method, url, headers: { host: 'localhost' } });
      expect(answer.statusCode).toBe(401);
    }
  });

  it('shows letters newest first, without payloads', async () => {
    const old = await write({ at: new Date('2026-01-01T00:00:00Z') });
    const young = await write({
      at: new Date('2026-01-02T00:00:00Z'),
      key: 'k',
      reason: 'attempts-used-up',
      stage: 'AsyncEgress',
      destination: 'egress',
      attempts: [FAILURE, { ...FAILURE, error: 'answered 503' }],
    });
    const { deadLetters, next } = await page('');
    expect(next).toBeNull();
    expect(deadLetters.map(({ id }) => id)).toEqual([young, old]);
    expect(deadLetters[0]).toEqual({
      id: young,
      recordId: expect.stringContaining('orders:0:'),
      destination: 'egress',
      tenant: 'default',
      key: 'k',
      priority: 'normal',
      reason: 'attempts-used-up',
      stage: 'AsyncEgress',
      state: 'waiting',
      attempts: 2,
      lastError: 'answered 503',
      sizeBytes: 7,
      acceptedAt: '2026-01-02T00:00:00.000Z',
      deadLetteredAt: '2026-01-02T00:00:00.000Z',
      redriveCount: 0,
    });
  });

  it('pages through all of them once, also those of one instant, while others come (DR1)', async () => {
    const at = new Date('2026-01-01T00:00:00Z');
    const ids: string[] = [];
    for (let i = 0; i < 25; i += 1) ids.push(await write({ at }));
    const seen: unknown[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { deadLetters, next }: Page = await page(`?limit=7${cursor && `&cursor=${cursor}`}`);
      expect(deadLetters.length).toBeLessThanOrEqual(7);
      seen.push(...deadLetters.map(({ id }) => id));
      cursor = next;
      await write({ at: new Date('2026-01-02T00:00:00Z') });
    }
    expect(seen).toEqual(ids.toReversed());
  });

  it.each([
    ['reason=validation', 'reason'],
    ['stage=AsyncEgress', 'stage'],
    ['key=customer%201', 'key'],
    ['destination=kafka', 'destination'],
    ['destination=', 'no destination'],
    ['state=discarded', 'state'],
    ['since=2026-03-01T00:00:00Z', 'since'],
    ['until=2025-06-01T02:00:00%2B02:00', 'until'],
  ])('filters by %s', async (query, what) => {
    const at = new Date('2026-01-01T00:00:00Z');
    await write({ at });
    const found = await write({
      at,
      ...{
        reason: { reason: 'validation' },
        stage: { stage: 'AsyncEgress' },
        key: { key: 'customer 1' },
        destination: { destination: 'kafka' },
        'no destination': { destination: '' },
        state: { state: 'discarded' },
        since: { at: new Date('2026-03-01T00:00:00Z') },
        until: { at: new Date('2025-05-31T23:59:59Z') },
      }[what],
    });
    const { deadLetters } = await page(`?${query}`);
    expect(deadLetters.map(({ id }) => id)).toEqual([found]);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=501', 'limit'],
    ['limit=x', 'limit'],
    ['state=lost', 'state'],
    ['stage=Sink', 'stage'],
    ['since=yesterday', 'since'],
    ['until=1', 'until'],
    ['cursor=abc', 'cursor'],
    ['reason=', 'reason'],
    ['key=%00', 'key'],
    ['reason=a&reason=b', 'reason'],
    ['colour=red', 'colour'],
  ])('refuses ?%s with 400, and names %s', async (query, name) => {
    const { code, body } = await get(`?${query}`);
    expect(code).toBe(400);
    expect(body).toMatchObject({ type: '/problems/malformed', status: 400 });
    expect(body['detail']).toContain(`parameter ${name}`);
  });

  it('shows one letter with its payload, headers, every attempt and its trail', async () => {
    const id = await write({
      payload: Buffer.from('{"größe":[1,null,"2e5"]}'),
      headers: { shop: 'eu' },
      attempts: [FAILURE],
    });
    expect((await get(`/${id}`)).body).toMatchObject({
      id,
      payload: { größe: [1, null, '2e5'] },
      headers: { shop: 'eu' },
      failures: [
        {
          at: '2026-01-01T00:00:00.000Z',
          stage: 'AsyncEgress',
          destination: 'egress',
          error: 'answered 500',
          status: 500,
        },
      ],
      trail: [],
    });
  });

  it.each([
    ['no JSON', Buffer.from('text')],
    ['no UTF-8', Buffer.from([0xff, 0xfe])],
    ['a number that would lose digits', Buffer.from('{"n":12345678901234567890}')],
    ['a number with an exponent', Buffer.from('[1e400]')],
    ['nothing', Buffer.alloc(0)],
  ])('shows the bytes of a payload that holds %s', async (_, payload) => {
    const { body } = await get(`/${await write({ payload })}`);
    expect(body).toMatchObject({ payloadBase64: payload.toString('base64') });
    expect(body).not.toHaveProperty('payload');
  });

  it('shows a tombstone as null', async () => {
    const { body } = await get(`/${await write({ payload: null })}`);
    expect(body['payload']).toBeNull();
    expect(body).not.toHaveProperty('payloadBase64');
  });

  it('answers 404 for a letter that is not there', async () => {
    for (const id of ['999999', '0', 'x', '-1', '99999999999999999999']) {
      const { code, body } = await get(`/${id}`);
      expect(code).toBe(404);
      expect(body).toMatchObject({ type: '/problems/not-found' });
    }
  });

  it('counts what waits by what it has in common, largest first, with the oldest and the newest', async () => {
    const times = ['2026-01-03T00:00:00.000Z', '2026-01-01T00:00:00.000Z'];
    for (const at of times) await write({ at: new Date(at) });
    const at = new Date('2026-01-02T00:00:00.000Z');
    await write({ at, reason: 'validation', destination: '' });
    await write({ at, state: 'discarded' });
    const group = { count: 1, oldest: at.toISOString(), newest: at.toISOString() };
    const rejected = { count: 2, oldest: times[1], newest: times[0] };
    expect((await get('/summary')).body).toEqual({
      by: ['reason'],
      groups: [
        { reason: 'rejected', ...rejected },
        { reason: 'validation', ...group },
      ],
    });
    expect((await get('/summary?by=destination,stage&reason=validation')).body).toEqual({
      by: ['destination', 'stage'],
      groups: [{ destination: '', stage: 'FinalSink', ...group }],
    });
    expect((await get('/summary?state=discarded')).body).toMatchObject({
      groups: [{ reason: 'rejected', ...group }],
    });
  });

  it.each(['by=key', 'by=', 'by=reason,reason', 'by=reason;drop', 'limit=1'])(
    'refuses /summary?%s with 400',
    async (query) => {
      expect((await get(`/summary?${query}`)).code).toBe(400);
    },
  );
});
