import { FakeClock } from '../../../test/support/fake-clock.js';
import { ScriptedReceiver } from '../../../test/support/scripted-receiver.js';
import { until } from '../../../test/support/until.js';
import { failureOf } from './failure-of.js';
import { type HttpClient, httpClient } from './http-client.js';
import { HttpPools } from './http-pools.js';

describe('HttpClient', () => {
  const clock = new FakeClock();
  let receivers: ScriptedReceiver[];
  let receiver: ScriptedReceiver;
  let pools: HttpPools;
  let abort: AbortController;
  let http: HttpClient;

  const startReceiver = async (): Promise<ScriptedReceiver> => {
    const started = await ScriptedReceiver.start();
    receivers.push(started);
    return started;
  };
  const use = (options: { connections?: number; maxOrigins?: number } = {}): void => {
    pools = new HttpPools({ connections: 4, clock, ...options });
    http = httpClient(pools, abort.signal);
  };
  const failureTo = async (call: Promise<unknown>): Promise<unknown> =>
    failureOf(
      await call.then(
        () => 'no failure',
        (error: unknown) => error,
      ),
    );

  beforeEach(async () => {
    receivers = [];
    receiver = await startReceiver();
    abort = new AbortController();
    use();
  });
  afterEach(async () => {
    await pools.close();
    for (const each of receivers) await each.stop();
  });

  it('sends JSON and gives the JSON of a 2xx, undefined for one without a body', async () => {
    receiver.answers({ body: '{"score":7}' }, { status: 201, body: '[1]' }, { status: 204 });
    const headers = { authorization: 'Bearer x' };
    expect(await http.get(`${receiver.url}/a?b=c`, { headers })).toEqual({ score: 7 });
    expect(await http.post(receiver.url, { n: 1 })).toEqual([1]);
    expect(await http.request('PUT', receiver.url, { json: 'text' })).toBeUndefined();
    expect(receiver.requests).toMatchObject([
      { method: 'GET', path: '/a?b=c', body: '', headers: { authorization: 'Bearer x' } },
      { method: 'POST', path: '/', body: '{"n":1}' },
      { method: 'PUT', body: '"text"', headers: { 'content-type': 'application/json' } },
    ]);
    expect(receiver.requests[0]!.headers['content-type']).toBeUndefined();
  });

  it('rejects so that answers sort themselves: 4xx final, 5xx retryable, 429 and Retry-After busy, redirects not followed', async () => {
    const inTen = new Date(clock.wallNow() + 10_000).toUTCString();
    receiver.answers(
      { status: 422, body: 'no' },
      { status: 500 },
      { status: 429 },
      { status: 503, headers: { 'retry-after': '7' } },
      { status: 503, headers: { 'retry-after': inTen } },
      { status: 301, headers: { location: '/b' } },
    );
    const failures = [];
    for (let i = 0; i < 6; i += 1) failures.push(await failureTo(http.get(receiver.url)));
    expect(failures).toMatchObject([
      { kind: 'final', status: 422 },
      { kind: 'retryable', status: 500 },
      { kind: 'busy', status: 429 },
      { kind: 'busy', retryAfterMs: 7000 },
      { kind: 'busy', retryAfterMs: 10_000 },
      { kind: 'final', status: 301 },
    ]);
  });

  it('takes nobody there, a cut connection and an unknown host for an outage', async () => {
    receiver.answers('drop');
    expect(await failureTo(http.get(receiver.url))).toMatchObject({ kind: 'outage' });
    await receiver.goAway();
    expect(await failureTo(http.get(receiver.url))).toMatchObject({ kind: 'outage' });
    expect(await failureTo(http.get('http://nobody.invalid/'))).toMatchObject({ kind: 'outage' });
  });

  it('refuses an answer that is no JSON, or larger than 1 MiB: no attempt could succeed', async () => {
    receiver.answers({ body: '<html>' }, { body: `"${'x'.repeat(2 ** 21)}"` });
    expect(await failureTo(http.get(receiver.url))).toMatchObject({ kind: 'final' });
    expect(await failureTo(http.get(receiver.url))).toMatchObject({
      kind: 'final',
      message: expect.stringContaining('larger than 1048576 bytes'),
    });
  });

  it('goes to http and https only', async () => {
    await expect(http.get('ftp://host/')).rejects.toThrow('http or https');
  });

  it('ends a call with its signal, and starts none after it', async () => {
    receiver.answer = () => 'silence';
    const call = http.get(receiver.url);
    await until(() => receiver.requests.length === 1, { what: 'the request has come' });
    abort.abort(new DOMException('No answer in time.', 'TimeoutError'));
    await expect(call).rejects.toThrow('No answer in time.');
    await expect(http.get(receiver.url)).rejects.toThrow('No answer in time.');
    expect(receiver.requests).toHaveLength(1);
  });

  it('makes at most so many calls at a time to one origin, whatever their answers (HP2)', async () => {
    use({ connections: 2 });
    receiver.answer = (_, index) => ({
      status: index % 2 === 0 ? 200 : 500,
      body: '1',
      delayMs: 5,
    });
    await Promise.allSettled(Array.from({ length: 20 }, () => http.get(receiver.url)));
    expect(receiver.requests).toHaveLength(20);
    expect(receiver.mostAtOnce).toBe(2);
  });

  it('keeps connections to so many origins; a call that runs at the one it ends is not cut (HP1)', async () => {
    use({ maxOrigins: 1 });
    const other = await startReceiver();
    receiver.answers({ body: '"slow"', delayMs: 50 });
    other.answers({ body: '"other"' });
    const slow = http.get(receiver.url);
    await until(() => receiver.requests.length === 1, { what: 'the slow call has begun' });
    expect(await http.get(other.url)).toBe('other');
    expect(await slow).toBe('slow');
    expect(await http.get(receiver.url)).toBeUndefined();
  });
});
