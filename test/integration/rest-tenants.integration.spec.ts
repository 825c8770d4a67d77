import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import {
  NOTHING_OUTSTANDING,
  outstanding,
  RawConnection,
  type RestGateway,
  type RestGatewayOptions,
  startRestGateway,
} from '../support/rest-gateway.js';
import { temporaryFolder } from '../support/service.js';
import { until } from '../support/until.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}
type Fields = Record<string, string>;

let rest: RestGateway;
const folder = temporaryFolder();
afterAll(() => folder.remove());

async function call(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(`${rest.url}${path}`, init);
  const body = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, headers: answer.headers, body };
}

const post = (record: unknown, headers: Fields = {}, path = '/v1/records'): Promise<Answer> => {
  const isText = typeof record === 'string';
  return call(path, {
    method: 'POST',
    body: isText ? record : JSON.stringify(record),
    headers: {
      'content-type': isText ? 'application/x-ndjson' : 'application/json',
      ...headers,
    },
  });
};
const bearer = (token: string): Fields => ({ authorization: `Bearer ${token}` });
const of = (tenant: string): Fields => ({ 'penstock-tenant': tenant });

function expectProblem({ headers, status, body }: Answer, expected: number, name: string): void {
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({ type: `/problems/${name}`, status: expected });
  expect(status).toBe(expected);
}

async function expectNothingHeld(): Promise<void> {
  await until(() => JSON.stringify(outstanding(rest)) === JSON.stringify(NOTHING_OUTSTANDING), {
    what: 'all credits and permits came back',
  });
}

afterEach(async () => {
  await expectNothingHeld();
  await rest.close();
});

describe('INGEST_TOKENS', () => {
  const start = async (options: RestGatewayOptions = {}): Promise<void> => {
    const service = { ingestTokens: 'acme=one,acme=two,default=three' };
    rest = await startRestGateway({ service, ...options });
  };

  it('takes the tenant from the token; a tenant may have several tokens', async () => {
    await start();
    for (const token of ['one', 'two', 'three']) {
      expect((await post({ payload: 1 }, bearer(token))).status).toBe(200);
    }
    expect((await post({ payload: 1 }, { ...bearer('one'), ...of('acme') })).status).toBe(200);
    const batch = await post([{ payload: 1 }], bearer('two'), '/v1/records:batch');
    expect(batch.status).toBe(202);
    const tenants = rest.rest.taken.map(({ tenant }) => tenant);
    expect(tenants).toEqual(['acme', 'acme', 'default', 'acme', 'acme']);
  });

  it('answers a call without a token with 401 and WWW-Authenticate, whatever it asks for', async () => {
    await start();
    const calls = [
      await post({ payload: 1 }),
      await post([{ payload: 1 }], {}, '/v1/records:batch'),
      await post({ payload: 1 }, { authorization: 'Basic one' }),
      await post({ payload: 1 }, of('acme')),
      await call('/v1/records/any'),
    ];
    for (const answer of calls) {
      expectProblem(answer, 401, 'unauthorized');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    for (const token of ['on', 'one1', 'ONE', 'one,two', 'acme=one']) {
      const answer = await post({ payload: 1 }, bearer(token));
      expectProblem(answer, 401, 'unauthorized');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    }
    expect(rest.rest.taken).toEqual([]);
  });

  it('refuses the name of another tenant with 403', async () => {
    await start();
    expectProblem(
      await post({ payload: 1 }, { ...bearer('one'), ...of('globex') }),
      403,
      'forbidden',
    );
    const read = await call('/v1/records/any', { headers: { ...bearer('one'), ...of('globex') } });
    expectProblem(read, 403, 'forbidden');
  });

  it('refuses before the body is read, and tells a stranger nothing of its state', async () => {
    await start();
    rest.intake.close('draining', 'The service is draining.');
    const connection = await RawConnection.open(rest.port);
    connection.send(
      'POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n',
    );
    expect(await until(() => connection.body)).toMatchObject({ type: '/problems/unauthorized' });
    connection.destroy();
    expectProblem(await post({ payload: 1 }, bearer('one')), 503, 'draining');
    rest.intake.open('draining');
  });

  it('shows a tenant its own records only, and no position of Kafka', async () => {
    await start();
    rest.rest.endsAtOnce = false;
    const { body } = await post({ payload: 1 }, bearer('one'));
    const read = (id: string, token: string): Promise<Answer> =>
      call(`/v1/records/${id}`, { headers: bearer(token) });
    const id = String(body['id']);
    expect((await read(id, 'two')).body).toMatchObject({ id, tenant: 'acme', status: 'accepted' });
    expectProblem(await read(id, 'three'), 404, 'not-found');
    const head = await fetch(`${rest.url}/v1/records/${id}`, { method: 'HEAD' });
    expect(head.status).toBe(401);
    rest.rest.end(rest.rest.accepted);
    const end = { id, status: 'acknowledged', tenant: 'acme', acknowledgments: [] } as const;
    rest.books.set(id, end);
    expect((await read(id, 'one')).status).toBe(200);
    expectProblem(await read(id, 'three'), 404, 'not-found');

    const position = { ...end, id: 'orders@1:0:7', tenant: 'default' };
    rest.books.set(position.id, position);
    expectProblem(await read(position.id, 'three'), 404, 'not-found');
    rest.inFlight.add([{ ...rest.rest.taken[0]!, ...position } as unknown as PipelineRecord]);
    expectProblem(await read(position.id, 'three'), 404, 'not-found');
  });

  it('asks for no token when it is not set', async () => {
    rest = await startRestGateway();
    expect((await post({ payload: 1 }, of('acme'))).status).toBe(200);
    expect(rest.rest.taken[0]!.tenant).toBe('acme');
  });
});

describe('TENANTS_FILE', () => {
  const start = async (tenants: object, options: RestGatewayOptions = {}): Promise<void> => {
    const tenantsFile = join(folder.path, 'tenants.json');
    writeFileSync(tenantsFile, JSON.stringify(tenants));
    rest = await startRestGateway({ service: { tenantsFile }, ...options });
  };

  it('refuses what is above ratePerSecond with 429 quota-exceeded and the RateLimit fields of the tenant', async () => {
    await start({ acme: { ratePerSecond: 20 } }, { gateway: { maxRequestsPerSecond: 1000 } });
    expect((await post({}, of('acme'))).status).toBe(422);
    expect((await post({ payload: 1 }, of('acme'))).status).toBe(200);
    const refused = await post({ payload: 1 }, of('acme'));
    expectProblem(refused, 429, 'quota-exceeded');
    expect(refused.body).toMatchObject({
      signal: 'tenant-rate',
      detail: 'The rate of the tenant acme of 20 records a second is used up for 50 ms.',
    });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit-policy')).toBe('"tenant-rate";q=20;w=1');
    expect(refused.headers.get('ratelimit')).toBe('"tenant-rate";r=0;t=1');
    expect((await post({ payload: 1 }, of('globex'))).status).toBe(200);
    rest.clock.advance(50);
    expect((await post({ payload: 1 }, of('acme'))).status).toBe(200);
  });

  it('charges a record to both rates or to none', async () => {
    await start({ acme: { ratePerSecond: 40 } }, { gateway: { maxRequestsPerSecond: 20 } });
    expect((await post({ payload: 1 }, of('globex'))).status).toBe(200);
    const refused = await post({ payload: 1 }, of('acme'));
    expect(refused.body['signal']).toBe('rate');
    expect(refused.headers.get('ratelimit-policy')).toBe('"records";q=20;w=1');
    rest.clock.advance(50);
    expect((await post({ payload: 1 }, of('acme'))).status).toBe(200);
  });

  it('gives a batch one second of the rate of its tenant, and refuses the rest', async () => {
    await start({ acme: { ratePerSecond: 3 } });
    const records = Array.from({ length: 5 }, () => ({ payload: 1 }));
    const array = await post(records, of('acme'), '/v1/records:batch');
    expect(array.body).toMatchObject({ accepted: 3, refused: 2 });
    const [, , , fourth] = array.body['results'] as { problem?: { signal: string } }[];
    expect(fourth).toMatchObject({ problem: { signal: 'tenant-rate' } });
    const none = await post(records, of('acme'), '/v1/records:batch');
    expectProblem(none, 429, 'quota-exceeded');
    expect(none.headers.get('ratelimit-policy')).toBe('"tenant-rate";q=3;w=1');
  });

  it('lets a tenant have maxInFlight records in flight, those of batches included, until they end', async () => {
    await start({ acme: { maxInFlight: 2 } });
    rest.rest.endsAtOnce = false;
    expect((await post({ payload: 1 }, of('acme'))).status).toBe(202);
    const records = [{ payload: 2 }, { payload: 3 }, {}];
    const array = await post(records, of('acme'), '/v1/records:batch');
    expect(array.body).toMatchObject({ accepted: 1, refused: 2 });
    const refused = await post({ payload: 4 }, of('acme'));
    expectProblem(refused, 429, 'quota-exceeded');
    expect(refused.body['signal']).toBe('tenant-in-flight');
    expect(refused.headers.get('ratelimit-policy')).toBe('"tenant-in-flight";q=2');
    const none = await post([{ payload: 5 }], of('acme'), '/v1/records:batch');
    expect(none).toMatchObject({ status: 429, body: { signal: 'tenant-in-flight' } });
    expect((await post({ payload: 6 }, of('globex'))).status).toBe(202);
    rest.rest.end([rest.rest.accepted[0]!]);
    expect((await post({ payload: 7 }, of('acme'))).status).toBe(202);
    rest.rest.end(rest.rest.accepted.slice(1));
  });

  it('gives the place of a record back that was invalid, refused, discarded, or whose caller left', async () => {
    await start({ acme: { maxInFlight: 1 } });
    const verdicts = [
      { kind: 'invalid', issues: [] },
      { kind: 'discarded', reason: 'test' },
      { kind: 'refused', error: new Error('full') },
    ] as const;
    for (const verdict of verdicts) {
      rest.rest.verdictFor = () => verdict;
      expect((await post({ payload: 1 }, of('acme'))).status).not.toBe(429);
    }
    expect((await post({}, of('acme'))).status).toBe(422);
    const leaving = await RawConnection.open(rest.port);
    leaving.send(
      'POST /v1/records HTTP/1.1\r\nHost: a\r\nPenstock-Tenant: acme\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{',
    );
    await until(() => rest.limits.snapshot().bodyBytesHeld > 0);
    leaving.destroy();
    await until(() => rest.limits.snapshot().bodyBytesHeld === 0);
    rest.rest.verdictFor = () => ({ kind: 'accepted' });
    expect((await post({ payload: 1 }, of('acme'))).status).toBe(200);
  });

  it('lets a stream wait for places of its tenant, and refuses after 1 s without one', async () => {
    await start({ acme: { maxInFlight: 2 } });
    rest.rest.endsAtOnce = false;
    const lines = Array.from({ length: 5 }, (_, n) => `{"payload":${n}}\n`).join('');
    const stream = post(lines, of('acme'), '/v1/records:batch');
    await until(() => rest.rest.accepted.length === 2);
    rest.rest.end(rest.rest.accepted.splice(0));
    await until(() => {
      rest.clock.advance(20);
      return rest.rest.accepted.length === 2;
    });
    const answer = await until(async () => {
      rest.clock.advance(20);
      return Promise.race([stream, Promise.resolve(undefined)]);
    });
    expect(answer).toMatchObject({ status: 202, body: { accepted: 4, refused: 1 } });
    const problem = { signal: 'tenant-in-flight', status: 429 };
    expect((answer.body['results'] as object[])[4]).toMatchObject({ index: 4, problem });
    rest.rest.end(rest.rest.accepted);
  });

  it('lowers a priority above highestPriority to it', async () => {
    await start({ acme: { highestPriority: 'normal' }, slow: { highestPriority: 'bulk' } });
    await post({ payload: 1, priority: 'critical' }, of('acme'));
    await post({ payload: 1 }, { ...of('acme'), 'penstock-priority': 'high' });
    await post({ payload: 1, priority: 'bulk' }, of('acme'));
    await post([{ payload: 1 }], of('slow'), '/v1/records:batch');
    await post({ payload: 1, priority: 'critical' }, of('globex'));
    const priorities = rest.rest.taken.map(({ priority }) => priority);
    expect(priorities).toEqual(['normal', 'normal', 'bulk', 'bulk', 'critical']);
  });

  it('gives every tenant that it does not name the rule of *, each for itself', async () => {
    await start({ acme: {}, '*': { maxInFlight: 1 } });
    rest.rest.endsAtOnce = false;
    const statuses: number[] = [];
    for (const tenant of ['a', 'b', 'a', 'acme', 'acme']) {
      statuses.push((await post({ payload: 1 }, of(tenant))).status);
    }
    expect(statuses).toEqual([202, 202, 429, 202, 202]);
    rest.rest.end(rest.rest.accepted);
  });
});
