import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { IntakeClosedError } from '../../libs/back-pressure/src/index.js';
import { PipelineFunctionError } from '../../src/pipeline/pipeline-function.error.js';
import {
  NOTHING_OUTSTANDING,
  outstanding,
  RawConnection,
  type RestGateway,
  type RestGatewayOptions,
  startRestGateway,
} from '../support/rest-gateway.js';
import { until } from '../support/until.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

/** What a 422 says of one wrong place. */
const ONE_ISSUE = [{ path: expect.any(String), message: expect.any(String) }];

let rest: RestGateway;

const start = async (options?: RestGatewayOptions): Promise<RestGateway> => {
  rest = await startRestGateway(options);
  return rest;
};

async function call(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(`${rest.url}${path}`, init);
  const text = await answer.text();
  const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  return { status: answer.status, headers: answer.headers, body };
}

const post = (body: string | Buffer, headers: Record<string, string> = {}): Promise<Answer> =>
  call('/v1/records', {
    method: 'POST',
    body: body as string,
    headers: { 'content-type': 'application/json', ...headers },
  });
const postRecord = (record: unknown, headers?: Record<string, string>): Promise<Answer> =>
  post(JSON.stringify(record), headers);

function expectProblem(answer: Answer, status: number, name: string): void {
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.body).toMatchObject({ type: `/problems/${name}`, status });
  expect(answer.body['title']).toEqual(expect.any(String));
  expect(answer.body['detail']).toEqual(expect.any(String));
  expect(answer.status).toBe(status);
}

async function expectNothingHeld(): Promise<void> {
  await until(() => JSON.stringify(outstanding(rest)) === JSON.stringify(NOTHING_OUTSTANDING), {
    what: 'all credits and permits came back',
    deadlineMs: 2000,
  });
  await until(() => rest.limits.snapshot().bodyBytesHeld === 0, {
    what: 'no body is held',
    deadlineMs: 2000,
  });
}

/** A Gateway without credits throttles: its callers are delayed before they wait for credits. */
async function passDelay(): Promise<void> {
  await until(() => rest.limits.snapshot().delayedCallers > 0, { what: 'the caller is delayed' });
  rest.clock.advance(100);
}

afterEach(async () => {
  try {
    await expectNothingHeld();
  } finally {
    await rest.close();
  }
});

describe('POST /v1/records', () => {
  it('accepts a record with its id, Location, key, tenant, priority and headers', async () => {
    await start();
    const answer = await postRecord(
      { key: 'k', payload: { a: [1] }, headers: { 'X-A': 'b' } },
      { 'penstock-tenant': 'acme', 'penstock-priority': 'high' },
    );
    expect(answer.status).toBe(200);
    const [record] = rest.rest.taken;
    expect(record).toMatchObject({
      source: 'rest',
      key: 'k',
      payload: { a: [1] },
      headers: { 'x-a': 'b' },
      tenant: 'acme',
      priority: 'high',
      partition: -1,
    });
    expect(record?.sizeBytes).toBeGreaterThan(0);
  });

  it('answers 202 with Location while the record is on its way', async () => {
    await start();
    rest.rest.endsAtOnce = false;
    const answer = await postRecord({ payload: null, priority: 'bulk' });
    const [record] = rest.rest.accepted;
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({ id: record?.id, status: 'accepted' });
    expect(answer.headers.get('location')).toBe(`/v1/records/${record?.id}`);
    expect(record).toMatchObject({ tenant: 'default', priority: 'bulk', key: undefined });
    expect(outstanding(rest)).toEqual({ ...NOTHING_OUTSTANDING, pipeline: 1 });
    rest.rest.end(rest.rest.accepted);
  });

  it.each([
    ['{"payload":', 400, 'malformed'],
    ['', 400, 'malformed'],
    ['payload=1', 400, 'malformed'],
    ['{}', 422, 'invalid'],
    ['[]', 422, 'invalid'],
    ['null', 422, 'invalid'],
    ['{"payload":1,"kee":"a"}', 422, 'invalid'],
    ['{"payload":1,"__proto__":{}}', 422, 'invalid'],
    ['{"payload":1,"key":7}', 422, 'invalid'],
    [`{"payload":1,"key":"${'k'.repeat(1025)}"}`, 422, 'invalid'],
    ['{"payload":1,"priority":"urgent"}', 422, 'invalid'],
    ['{"payload":1,"headers":{"a b":"c"}}', 422, 'invalid'],
    ['{"payload":1,"headers":{"__proto__":1}}', 422, 'invalid'],
    ['{"payload":"\\u0000"}', 422, 'invalid'],
    ['{"payload":"\\ud800"}', 422, 'invalid'],
    ['{"payload":1,"key":"a\\u0000"}', 422, 'invalid'],
    ['{"payload":1e400}', 422, 'unsafe-number'],
    ['{"payload":12345678901234567890}', 422, 'unsafe-number'],
    [`{"payload":${'['.repeat(64)}${']'.repeat(64)}}`, 422, 'invalid'],
  ])('answers %s with %i %s', async (body, status, name) => {
    await start();
    const answer = await post(body);
    expectProblem(answer, status, name);
    expect(answer.body['errors']).toEqual(status === 422 ? ONE_ISSUE : undefined);
  });

  it('takes a key that is empty', async () => {
    await start();
    expect((await post('{"payload":1,"key":""}')).status).toBe(200);
    expect(rest.rest.taken[0]?.key).toBe('');
  });

  it('names the place of what is wrong as a JSON pointer into the body', async () => {
    await start();
    const answer = await post('{"payload":{"a/b":[1,{"n":1e999}]}}');
    expect(answer.body['errors']).toMatchObject([{ path: '/payload/a~1b/1/n' }]);
    expect((await post('{"payload":1,"headers":{"a":2}}')).body['errors']).toMatchObject([
      { path: '/headers/a' },
    ]);
  });

  it('refuses invalid UTF-8 and takes a byte order mark at the begin', async () => {
    await start();
    const bad = Buffer.concat([
      Buffer.from('{"payload":"'),
      Buffer.from([0xff]),
      Buffer.from('"}'),
    ]);
    expectProblem(await post(bad), 400, 'malformed');
    expect((await post('\uFEFF{"payload":1}')).status).toBe(200);
  });

  it('keeps __proto__ and constructor in payload and headers as data', async () => {
    await start();
    await post(
      '{"payload":{"__proto__":{"x":1},"constructor":2},"headers":{"__proto__":"a","constructor":"b"}}',
    );
    const [record] = rest.rest.taken;
    expect(JSON.stringify(record?.payload)).toBe('{"__proto__":{"x":1},"constructor":2}');
    expect(JSON.stringify(record?.headers)).toBe('{"__proto__":"a","constructor":"b"}');
  });

  it('says the limit of a body and of a record that is too large', async () => {
    await start({ bounds: { maxBodyBytes: 1000, maxRecordBytes: 100 } });
    const body = await post(JSON.stringify({ payload: 'x'.repeat(2000) }));
    expectProblem(body, 413, 'too-large');
    expect(body.body['limitBytes']).toBe(1000);
    const record = await post(JSON.stringify({ payload: 'x'.repeat(200) }));
    expectProblem(record, 413, 'too-large');
    expect(record.body['limitBytes']).toBe(100);
    expect((await post(`{"payload":1${' '.repeat(200)}}`)).status).toBe(200);
  });

  it('stops reading a body without a declared size at the limit', async () => {
    await start({ bounds: { maxBodyBytes: 1000, maxRecordBytes: 100 } });
    const connection = await RawConnection.open(rest.port);
    connection.send(
      'POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n',
    );
    connection.send(`800\r\n${'x'.repeat(2048)}\r\n`);
    const body = await until(() => connection.body, { what: 'the answer' });
    expect(body).toMatchObject({ type: '/problems/too-large', limitBytes: 1000 });
    await until(() => connection.closed, { what: 'the connection is closed' });
  });

  it('refuses other content types, encodings, character sets and a missing type', async () => {
    await start();
    for (const type of ['text/plain', 'application/x-ndjson', '']) {
      const answer = await post('{"payload":1}', { 'content-type': type });
      expectProblem(answer, 415, 'unsupported-media-type');
      const given = type === '' ? 'no Content-Type' : type;
      expect(answer.body['detail']).toBe(
        `The body must be application/json or application/cloudevents+json (got ${given}).`,
      );
    }
    const batch = await call('/v1/records:batch', {
      method: 'POST',
      body: 'a',
      headers: { 'content-type': 'text/csv' },
    });
    expectProblem(batch, 415, 'unsupported-media-type');
    expect(batch.body['detail']).toBe(
      'The body must be application/json or application/x-ndjson or application/cloudevents-batch+json (got text/csv).',
    );
    expectProblem(
      await post('{"payload":1}', { 'content-type': 'application/json; charset=utf-16' }),
      415,
      'unsupported-media-type',
    );
    expectProblem(
      await post('{"payload":1}', { 'content-encoding': 'gzip' }),
      415,
      'unsupported-media-type',
    );
  });

  it('says that a request has no body, or an empty one', async () => {
    await start();
    for (const path of ['/v1/records', '/v1/records:batch']) {
      const none = await call(path, { method: 'POST' });
      expectProblem(none, 400, 'malformed');
      expect(none.body['detail']).toBe('The request has no body.');
    }
    const connection = await RawConnection.open(rest.port);
    connection.send(
      'POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    );
    const empty = await until(() => connection.body, { what: 'the answer' });
    expect(empty).toMatchObject({ type: '/problems/malformed', detail: 'The body is empty.' });
  });

  it('refuses an Accept header that admits no JSON, and header values that can not be', async () => {
    await start();
    expectProblem(await post('{"payload":1}', { accept: 'text/html' }), 406, 'not-acceptable');
    expectProblem(await post('{"payload":1}', { 'penstock-tenant': '-' }), 400, 'malformed');
    expectProblem(await post('{"payload":1}', { 'penstock-priority': 'x' }), 400, 'malformed');
  });

  it('answers 404 for other paths, and 405 with Allow for other methods', async () => {
    await start();
    expectProblem(await call('/v1/recordsX'), 404, 'not-found');
    expectProblem(await call('/v1/recordsX', { method: 'POST' }), 404, 'not-found');
    expectProblem(await call('/v1/records:other', { method: 'POST' }), 404, 'not-found');
    const wrong = await call('/v1/records', { method: 'DELETE' });
    expectProblem(wrong, 405, 'method-not-allowed');
    expect(wrong.headers.get('allow')).toBe('POST');
    const read = await call('/v1/records/abc', { method: 'PUT' });
    expect(read.headers.get('allow')).toBe('GET, HEAD');
    expect((await call('/v1/records:batch')).headers.get('allow')).toBe('POST');
    expectProblem(await call('/v1/%ZZ'), 400, 'malformed');
  });

  it('answers what the HTTP parser refuses with a problem document', async () => {
    await start();
    const garbage = await RawConnection.open(rest.port);
    garbage.send('NONSENSE\r\n\r\n');
    expect(await until(() => garbage.body)).toMatchObject({ status: 400 });
    expect(garbage.text).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\nContent-Type: application\/problem\+json/,
    );
    const large = await RawConnection.open(rest.port);
    large.send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`);
    expect(await until(() => large.body)).toMatchObject({
      type: '/problems/headers-too-large',
      status: 431,
    });
  });

  it('passes the verdicts of the pipeline on', async () => {
    await start();
    const verdict = (kind: RestGateway['rest']['verdictFor']) => {
      rest.rest.verdictFor = kind;
      return postRecord({ payload: 1 });
    };
    const invalid = await verdict(() => ({
      kind: 'invalid',
      issues: [{ path: '/amount', message: 'must be positive' }],
    }));
    expectProblem(invalid, 422, 'invalid');
    expect(invalid.body['errors']).toEqual([
      { path: '/payload/amount', message: 'must be positive' },
    ]);
    const discarded = await verdict(() => ({ kind: 'discarded', reason: 'test order' }));
    expect(discarded).toMatchObject({
      status: 200,
      body: { status: 'discarded', reason: 'test order' },
    });
    const failed = await verdict(() => ({
      kind: 'refused',
      error: PipelineFunctionError.threw('preprocess', new TypeError('secret')),
    }));
    expectProblem(failed, 500, 'pipeline-error');
    expect(JSON.stringify(failed.body)).not.toContain('secret');
    const refused = await verdict(() => ({
      kind: 'refused',
      error: rest.controller.refusal('IngressProcessing', 'queue'),
    }));
    expectProblem(refused, 429, 'temporary-reduced-capacity');
    expect(refused.headers.get('retry-after')).toBe('1');
    const away = await verdict(() => ({
      kind: 'refused',
      error: new IntakeClosedError({ reason: 'outcome-unknown' }),
    }));
    expectProblem(away, 503, 'outcome-unknown');
  });

  it('waits for the end of a record as long as the caller prefers, without a permit', async () => {
    await start();
    rest.rest.endsAtOnce = false;
    const waiting = postRecord({ payload: 1 }, { prefer: 'wait=5' });
    await until(() => rest.rest.accepted.length > 0);
    const [record] = rest.rest.accepted;
    await until(() => outstanding(rest)['permits'] === 0, { what: 'the permit is back' });
    rest.rest.end([record!]);
    const answer = await waiting;
    expect(answer).toMatchObject({ status: 200, body: { id: record!.id, status: 'acknowledged' } });
    expect(answer.headers.get('preference-applied')).toBe('wait=5');
  });

  it('answers 202 when the preferred time is over or the service drains', async () => {
    await start();
    rest.rest.endsAtOnce = false;
    const late = postRecord({ payload: 1 }, { prefer: 'wait=5' });
    await until(() => rest.rest.accepted.length === 1 && rest.clock.pendingTimers > 0);
    rest.clock.advance(5000);
    expect((await late).status).toBe(202);
    const drained = postRecord({ payload: 1 }, { prefer: 'wait=5' });
    await until(() => rest.rest.accepted.length === 2);
    await rest.gateway.drain(rest.clock.now() + 1000);
    expect((await drained).status).toBe(202);
    rest.rest.end(rest.rest.accepted);
  });

  it('refuses before the body is read while nothing can be accepted', async () => {
    await start();
    rest.intake.close('database-away', 'The database is away.');
    const away = await postRecord({ payload: 1 });
    expectProblem(away, 503, 'database-away');
    expect(Number(away.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    rest.intake.close('draining', 'The service is draining.');
    const draining = await post('not even JSON');
    expectProblem(draining, 503, 'draining');
    expect(draining.headers.get('connection')).toBe('close');
    rest.intake.open('draining');
    rest.intake.open('database-away');
    rest.journal.isFull = true;
    const full = await postRecord({ payload: 1 });
    expectProblem(full, 429, 'temporary-reduced-capacity');
    expect(full.body['signal']).toBe('journal-backlog');
    expect(rest.rest.taken).toEqual([]);
  });

  it('counts only accepted records against the rate (GATEWAY_MAX_REQUESTS_PER_SECOND)', async () => {
    await start({ gateway: { maxRequestsPerSecond: 20 } });
    for (let i = 0; i < 5; i += 1) expect((await postRecord({})).status).toBe(422);
    expect((await postRecord({ payload: 1 })).status).toBe(200);
    const refused = await postRecord({ payload: 1 });
    expectProblem(refused, 429, 'quota-exceeded');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(refused.headers.get('ratelimit-policy')).toBe('"records";q=20;w=1');
    expect(refused.headers.get('ratelimit')).toBe('"records";r=0;t=1');
    rest.clock.advance(50);
    expect((await postRecord({ payload: 1 })).status).toBe(200);
  });

  it('throttles early: bulk is refused, others are delayed, and too many delayed are refused', async () => {
    await start({ gateway: { maxConcurrentRequests: 2 }, stages: { Gateway: { capacity: 100 } } });
    const lot = rest.controller.requestCredits('Gateway', 75)!;
    rest.controller.evaluate();
    expectProblem(
      await postRecord({ payload: 1 }, { 'penstock-priority': 'bulk' }),
      429,
      'temporary-reduced-capacity',
    );
    const delayed = [postRecord({ payload: 1 }), postRecord({ payload: 2, priority: 'bulk' })];
    await until(() => rest.limits.snapshot().delayedCallers === 2);
    expect((await postRecord({ payload: 3 })).body['signal']).toBe('throttled');
    expect(rest.rest.taken).toEqual([]);
    rest.clock.advance(100);
    expect((await Promise.all(delayed)).map(({ status }) => status)).toEqual([200, 429]);
    lot.release();
  });

  it('lets a delayed caller go when it leaves', async () => {
    await start({ stages: { Gateway: { capacity: 10 } } });
    const lot = rest.controller.requestCredits('Gateway', 8)!;
    rest.controller.evaluate();
    const leaving = new AbortController();
    const left = fetch(`${rest.url}/v1/records`, {
      method: 'POST',
      body: '{"payload":1}',
      headers: { 'content-type': 'application/json' },
      signal: leaving.signal,
    });
    await until(() => rest.limits.snapshot().delayedCallers === 1);
    leaving.abort();
    await expect(left).rejects.toThrow(/abort/i);
    await until(() => rest.limits.snapshot().delayedCallers === 0);
    lot.release();
  });

  it('waits for credits, first come first served, and refuses after its wait', async () => {
    await start({ stages: { Gateway: { capacity: 1 } } });
    const lot = rest.controller.requestCredits('Gateway', 1)!;
    const waiting = postRecord({ payload: 1 });
    await passDelay();
    await until(() => rest.clock.pendingTimers > 0, { what: 'it waits for credits' });
    rest.clock.advance(200);
    const refused = await waiting;
    expectProblem(refused, 429, 'temporary-reduced-capacity');
    expect(refused.body).toMatchObject({ stage: 'Gateway', signal: 'credit' });
    lot.release();
  });

  it('gives permit and credits back when the client leaves while it waits', async () => {
    await start({ stages: { Gateway: { capacity: 1 } } });
    const lot = rest.controller.requestCredits('Gateway', 1)!;
    const leaving = new AbortController();
    const left = fetch(`${rest.url}/v1/records`, {
      method: 'POST',
      body: '{"payload":1}',
      headers: { 'content-type': 'application/json' },
      signal: leaving.signal,
    });
    await passDelay();
    await until(() => rest.clock.pendingTimers > 0, { what: 'it waits for credits' });
    leaving.abort();
    await expect(left).rejects.toThrow(/abort/i);
    await until(() => rest.clock.pendingTimers === 0, { what: 'it waits no longer' });
    lot.release();
    await pause(0);
    expect(rest.rest.taken).toEqual([]);
  });

  it('is refused when its caller leaves or its time is over inside the Gateway', async () => {
    await start({ stages: { KeyGen: { capacity: 1 } } });
    const lot = rest.controller.requestCredits('KeyGen', 1)!;
    const late = postRecord({ payload: 1 });
    await until(() => outstanding(rest)['gateway'] === 1);
    await until(() => rest.clock.pendingTimers > 0);
    rest.clock.advance(1000);
    expectProblem(await late, 429, 'temporary-reduced-capacity');
    lot.release();
  });

  it('works on no more requests at a time than configured, and serves 100 in parallel', async () => {
    await start({ gateway: { maxConcurrentRequests: 7 } });
    let open: () => void = () => undefined;
    rest.rest.gate = new Promise((resolve) => {
      open = resolve;
    });
    const answers = Array.from({ length: 100 }, (_, i) => postRecord({ payload: i }));
    await until(() => rest.rest.taken.length === 7);
    expect(outstanding(rest)['permits']).toBe(7);
    open();
    expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(
      new Set([200]),
    );
    expect(new Set(rest.rest.accepted.map(({ id }) => id)).size).toBe(100);
  });

  it('reports requests slower than GATEWAY_SLOW_PROCESSING_THRESHOLD_MS from their body to their verdict, at most once in ten seconds', async () => {
    await start({ gateway: { slowProcessingThresholdMs: 50 } });
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    for (const [tookMs, reports] of [
      [50, 0],
      [51, 1],
      [51, 1],
      [10_000, 2],
    ] as const) {
      let open: () => void = () => undefined;
      rest.rest.gate = new Promise((resolve) => {
        open = resolve;
      });
      const { length } = rest.rest.taken;
      const answer = postRecord({ payload: 1 });
      await until(() => rest.rest.taken.length > length);
      rest.clock.advance(tookMs);
      open();
      expect((await answer).status).toBe(200);
      expect(warn).toHaveBeenCalledTimes(reports);
    }
    expect(warn).toHaveBeenLastCalledWith(expect.stringMatching(/slower than 50 ms.*: 2\./));
    warn.mockRestore();
  });

  it('refuses a request when as many work as GATEWAY_MAX_CONCURRENT_REQUESTS and wait as GATEWAY_MAX_QUEUE_SIZE', async () => {
    await start({ gateway: { maxConcurrentRequests: 1, maxQueueSize: 1 } });
    let open: () => void = () => undefined;
    rest.rest.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = postRecord({ payload: 1 });
    await until(() => rest.rest.taken.length === 1);
    const second = postRecord({ payload: 2 });
    await until(() => rest.controller.semaphore('gateway').queued === 1);
    const refused = postRecord({ payload: 3 });
    await passDelay();
    const third = await refused;
    expectProblem(third, 429, 'temporary-reduced-capacity');
    expect(third.body['signal']).toBe('queue');
    open();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
  });

  it('cuts off a body that does not arrive within 30 s', async () => {
    await start();
    const connection = await RawConnection.open(rest.port);
    connection.send(
      'POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"pay',
    );
    await until(() => rest.clock.pendingTimers > 0, { what: 'the body is being read' });
    rest.clock.advance(30_000);
    expect(await until(() => connection.body)).toMatchObject({
      type: '/problems/request-timeout',
      status: 408,
    });
    await until(() => connection.closed);
  });

  it('gives back what it reserved when the client leaves in the middle of its body', async () => {
    await start({ gateway: { maxRequestsPerSecond: 20 } });
    const connection = await RawConnection.open(rest.port);
    connection.send(
      'POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"pay',
    );
    await until(() => rest.limits.snapshot().bodyBytesHeld === 50);
    connection.destroy();
    await until(() => rest.limits.snapshot().bodyBytesHeld === 0);
    expect((await postRecord({ payload: 1 })).status).toBe(200);
  });

  it('refuses when the bodies that are being read hold all the memory they may', async () => {
    await start({ bounds: { maxBodyBytes: 1000, maxRecordBytes: 100 } });
    const head =
      'POST /v1/records HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{';
    const slow = await Promise.all(
      Array.from({ length: 64 }, async () => {
        const connection = await RawConnection.open(rest.port);
        connection.send(head);
        return connection;
      }),
    );
    await until(() => rest.limits.snapshot().bodyBytesHeld === 64_000);
    expect((await postRecord({ payload: 1 })).body['signal']).toBe('body-memory');
    for (const connection of slow) connection.destroy();
  });
});

describe('GET /v1/records/{id}', () => {
  it('says where a record is, then how it ended', async () => {
    await start();
    rest.rest.endsAtOnce = false;
    const { body } = await postRecord({ key: 'k', payload: 1 });
    const path = `/v1/records/${String(body['id'])}`;
    expect((await call(path)).body).toEqual({
      id: body['id'],
      status: 'accepted',
      tenant: 'default',
      acceptedAt: '2026-01-01T00:00:00.000Z',
      key: 'k',
      priority: 'normal',
      stage: 'IngressProcessing',
      attempts: 0,
      acknowledgments: [],
    });
    rest.rest.end(rest.rest.accepted);
    const at = new Date('2026-01-01T00:00:01Z');
    rest.books.set(String(body['id']), {
      id: String(body['id']),
      status: 'dead-lettered',
      tenant: 'default',
      acceptedAt: at,
      endedAt: at,
      reason: 'final',
      acknowledgments: [{ destination: 'kafka', attempts: 2, acknowledgedAt: at }],
      failures: [{ atMs: at.getTime(), stage: 'FinalSink', destination: 'kafka', error: 'no' }],
    });
    expect((await call(path)).body).toEqual({
      id: body['id'],
      status: 'dead-lettered',
      tenant: 'default',
      acceptedAt: '2026-01-01T00:00:01.000Z',
      endedAt: '2026-01-01T00:00:01.000Z',
      reason: 'final',
      acknowledgments: [
        { destination: 'kafka', attempts: 2, acknowledgedAt: '2026-01-01T00:00:01.000Z' },
      ],
      failures: [
        { at: '2026-01-01T00:00:01.000Z', stage: 'FinalSink', destination: 'kafka', error: 'no' },
      ],
    });
  });

  it('answers 404 for an id that nobody knows', async () => {
    await start();
    expectProblem(await call('/v1/records/nobody'), 404, 'not-found');
    expectProblem(await call(`/v1/records/${'x'.repeat(400)}`), 404, 'not-found');
  });
});
