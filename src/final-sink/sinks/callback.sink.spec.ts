import { Webhook } from 'standardwebhooks';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { makeRecord } from '../../../test/support/ledger.js';
import { ScriptedReceiver } from '../../../test/support/scripted-receiver.js';
import { until } from '../../../test/support/until.js';
import { webhookKeys } from '../../pipeline/webhook-secret.js';
import { outcomeOfAnswer } from './callback-answer.js';
import { CallbackSink, type CallbackSinkOptions } from './callback.sink.js';

const SECRETS = ['a', 'b'].map(
  (letter) => `whsec_${Buffer.alloc(32, letter).toString('base64')}`,
) as [string, string];
const NOW_MS = 1_767_225_600_000;

const live = (): AbortSignal => new AbortController().signal;

describe('CallbackSink', () => {
  let receiver: ScriptedReceiver;
  const sinks: CallbackSink[] = [];

  beforeEach(async () => {
    receiver = await ScriptedReceiver.start();
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink.stop();
    await receiver.stop();
  });

  function makeSink(options: Partial<CallbackSinkOptions> = {}): CallbackSink {
    const clock = new FakeClock();
    jest.spyOn(clock, 'wallNow').mockImplementation(() => Date.now());
    const sink = new CallbackSink({
      name: 'callback',
      url: `${receiver.url}/hooks/orders?from=penstock`,
      keys: webhookKeys(SECRETS[0])!,
      contentType: 'application/json',
      maxRequests: 10,
      answerTimeoutMs: 10_000,
      clock,
      ...options,
    });
    sinks.push(sink);
    return sink;
  }

  const send = (sink: CallbackSink, ...records: Parameters<CallbackSink['deliver']>[0]) =>
    sink.deliver(records, { signal: live() });

  it('POSTs the bytes as they are, with the record’s id and key', async () => {
    const body = Buffer.from('{ "total" : 1.50, "für": "ü" }');
    const record = makeRecord({ key: 'customer 42/ü', body });
    expect(await send(makeSink(), record)).toEqual([{ kind: 'acknowledged' }]);
    const [request] = receiver.requests;
    expect(request).toMatchObject({
      method: 'POST',
      path: '/hooks/orders?from=penstock',
      body: body.toString(),
      headers: { 'content-type': 'application/json', 'webhook-id': record.id },
    });
    expect(decodeURIComponent(String(request!.headers['penstock-key']))).toBe(record.key);
  });

  it('has no key header for a record without a key, or with one that is too long for a header', async () => {
    await send(makeSink(), makeRecord(), makeRecord({ key: 'k'.repeat(4097) }));
    for (const { headers } of receiver.requests) expect(headers).not.toHaveProperty('penstock-key');
  });

  it('signs so that the public verifier of Standard Webhooks accepts it (CS3)', async () => {
    await send(makeSink(), makeRecord({ id: 'orders.eu:3:1042', payload: { text: 'größer' } }));
    const [{ body, headers }] = receiver.requests as [ScriptedReceiver['requests'][0]];
    const given = headers as Record<string, string>;
    expect(new Webhook(SECRETS[0]).verify(body, given)).toEqual({ text: 'größer' });
    expect(() => new Webhook(SECRETS[1]).verify(body, given)).toThrow('No matching signature');
    expect(() => new Webhook(SECRETS[0]).verify(`${body} `, given)).toThrow(
      'No matching signature',
    );
    expect(() =>
      new Webhook(SECRETS[0]).verify(body, { ...given, 'webhook-id': 'another' }),
    ).toThrow('No matching signature');
  });

  it('signs with both of two secrets: a receiver may know the old one or the new one', async () => {
    await send(makeSink({ keys: webhookKeys(SECRETS.join(', '))! }), makeRecord());
    const [{ body, headers }] = receiver.requests as [ScriptedReceiver['requests'][0]];
    for (const secret of SECRETS) {
      expect(() => new Webhook(secret).verify(body, headers as never)).not.toThrow();
    }
  });

  it('has the same id at every attempt, and the time of the attempt', async () => {
    const sink = makeSink();
    const record = makeRecord();
    const now = jest.spyOn(Date, 'now').mockReturnValue(NOW_MS + 999);
    await send(sink, record);
    now.mockReturnValue(NOW_MS + 61_000);
    await send(sink, record);
    now.mockRestore();
    const sent = receiver.requests.map(({ headers }) => [
      headers['webhook-id'],
      headers['webhook-timestamp'],
    ]);
    expect(sent).toEqual([
      [record.id, String(NOW_MS / 1000)],
      [record.id, String(NOW_MS / 1000 + 61)],
    ]);
  });

  it('says what kind of bytes it sends', async () => {
    await send(makeSink({ contentType: 'application/octet-stream' }), makeRecord());
    expect(receiver.requests[0]!.headers['content-type']).toBe('application/octet-stream');
  });

  it('is an outage when nobody answers: refused, cut off', async () => {
    const sink = makeSink();
    receiver.answers('drop');
    const outage = { kind: 'failed', failure: { kind: 'outage' } };
    expect(await send(sink, makeRecord())).toMatchObject([outage]);
    await receiver.goAway();
    expect(await send(sink, makeRecord())).toMatchObject([outage]);
    await receiver.comeBack();
    expect(await send(sink, makeRecord())).toEqual([{ kind: 'acknowledged' }]);
  });

  it('ends a request with the signal of its call, as a timeout (CS2)', async () => {
    receiver.answers('silence');
    const calling = new AbortController();
    const answer = makeSink().deliver([makeRecord()], { signal: calling.signal });
    await until(() => receiver.requests.length === 1);
    calling.abort(new DOMException('No acknowledgment within 10 ms.', 'TimeoutError'));
    expect(await answer).toMatchObject([
      {
        failure: { kind: 'retryable', isTimeout: true, message: expect.stringContaining('10 ms') },
      },
    ]);
  });

  it('does not follow a redirect: the signature is for this receiver', async () => {
    receiver.answers({ status: 307, headers: { location: `${receiver.url}/elsewhere` } });
    expect(await send(makeSink(), makeRecord())).toMatchObject([
      { failure: { kind: 'final', status: 307 } },
    ]);
    expect(receiver.requests).toHaveLength(1);
  });

  it('takes any body of an answer, and reads no more of it than it must', async () => {
    receiver.answer = () => ({ status: 200, body: 'x'.repeat(1_000_000) });
    const sink = makeSink({ maxRequests: 1 });
    const outcomes = await send(sink, makeRecord(), makeRecord(), makeRecord());
    expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'acknowledged'));
  });
});

describe('the answer of a callback', () => {
  const of = (status: number, retryAfter?: string) =>
    outcomeOfAnswer({ status, retryAfter }, NOW_MS);

  it.each([200, 201, 202, 204, 299])('%d acknowledges', (status) => {
    expect(of(status)).toEqual({ kind: 'acknowledged' });
  });

  it.each([
    [301, 'final'],
    [400, 'final'],
    [410, 'final'],
    [413, 'final'],
    [422, 'final'],
    [429, 'busy'],
    [401, 'retryable'],
    [403, 'retryable'],
    [408, 'retryable'],
    [425, 'retryable'],
    [500, 'retryable'],
    [503, 'retryable'],
  ])('%d is %s', (status, kind) => {
    expect(of(status)).toMatchObject({ kind: 'failed', failure: { kind, status } });
  });

  it('asks for the time of its Retry-After, in seconds or as a date, whatever its status', () => {
    expect(of(503, '7')).toMatchObject({ failure: { kind: 'busy', retryAfterMs: 7000 } });
    const date = new Date(NOW_MS + 3000).toUTCString();
    expect(of(429, date)).toMatchObject({ failure: { kind: 'busy', retryAfterMs: 3000 } });
    const past = new Date(NOW_MS - 3000).toUTCString();
    expect(of(429, past)).toMatchObject({ failure: { retryAfterMs: 0 } });
    expect(of(503, 'soon')).toMatchObject({ failure: { kind: 'retryable' } });
  });
});
