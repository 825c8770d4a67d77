import { CapacityExhaustedError } from '../../libs/back-pressure/src/index.js';
import {
  NOTHING_OUTSTANDING,
  outstanding,
  RawConnection,
  type RestGateway,
  type RestGatewayOptions,
  startRestGateway,
} from '../support/rest-gateway.js';
import { until } from '../support/until.js';

interface Result {
  readonly index: number;
  readonly id?: string;
  readonly status?: string;
  readonly problem?: { readonly type: string; readonly status: number; readonly signal?: string };
}
interface BatchAnswer {
  readonly status: number;
  readonly contentType: string | null;
  readonly body: {
    readonly type?: string;
    readonly accepted: number;
    readonly refused: number;
    readonly results: readonly Result[];
    readonly ended?: { readonly reason: string };
    readonly limitRecords?: number;
  };
}

let rest: RestGateway;

const start = async (options?: RestGatewayOptions): Promise<RestGateway> => {
  rest = await startRestGateway(options);
  return rest;
};

async function send(body: string, contentType: string): Promise<BatchAnswer> {
  const answer = await fetch(`${rest.url}/v1/records:batch`, {
    method: 'POST',
    body,
    headers: { 'content-type': contentType },
  });
  return {
    status: answer.status,
    contentType: answer.headers.get('content-type'),
    body: (await answer.json()) as BatchAnswer['body'],
  };
}

const sendArray = (records: readonly unknown[]) =>
  send(JSON.stringify(records), 'application/json');
const sendLines = (records: readonly unknown[]) =>
  send(records.map((record) => `${JSON.stringify(record)}\n`).join(''), 'application/x-ndjson');
const numbered = (count: number) => Array.from({ length: count }, (_, i) => ({ payload: i }));

/** What became of each record: its status, or the name of its problem. */
const outcomes = ({ body }: BatchAnswer) =>
  body.results.map(({ status, problem }) => status ?? problem?.type.replace('/problems/', ''));

const REFUSED = new CapacityExhaustedError({
  stage: 'IngressProcessing',
  signal: 'queue',
  retryAfterMs: 1000,
});

const STREAM_HEAD =
  'POST /v1/records:batch HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n' +
  'Transfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const END = '0\r\n\r\n';

async function openStream(): Promise<RawConnection> {
  const connection = await RawConnection.open(rest.port);
  connection.send(STREAM_HEAD);
  return connection;
}

const answerOf = async (connection: RawConnection) => {
  const body = await until(() => connection.body, { what: 'the answer' });
  return body as unknown as BatchAnswer['body'];
};

afterEach(async () => {
  try {
    await until(() => JSON.stringify(outstanding(rest)) === JSON.stringify(NOTHING_OUTSTANDING), {
      what: 'all credits and permits came back',
      deadlineMs: 2000,
    });
    const held = () => Object.values(rest.limits.snapshot()).some((level) => level !== 0);
    await until(() => !held(), { what: 'nothing is held', deadlineMs: 2000 });
  } finally {
    await rest.close();
  }
});

describe('POST /v1/records:batch with an array', () => {
  it('answers one result a record, in order, whatever becomes of each', async () => {
    await start({ bounds: { maxRecordBytes: 100 } });
    rest.rest.verdictFor = ({ payload }) => {
      if (payload === 'drop') return { kind: 'discarded', reason: 'test order' };
      if (payload === 'bad') return { kind: 'invalid', issues: [{ path: '', message: 'no' }] };
      return { kind: 'accepted' };
    };
    const answer = await send(
      '[{"payload":1},{"payload":"drop"},{"payload":"bad"},{},{"payload":1e400},{"payload":"\\u0000"},' +
        `{"payload":"${'x'.repeat(100)}"},{"payload":2}]`,
      'application/json',
    );
    expect(answer.status).toBe(202);
    expect(outcomes(answer)).toEqual([
      'accepted',
      'discarded',
      'invalid',
      'invalid',
      'unsafe-number',
      'invalid',
      'too-large',
      'accepted',
    ]);
    expect(answer.body).toMatchObject({ accepted: 3, refused: 5 });
    expect(answer.body.results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(answer.body.results[5]).toMatchObject({ problem: { errors: [{ path: '/payload' }] } });
  });

  it('takes what there are credits for, and refuses the rest at once', async () => {
    await start({ stages: { Gateway: { capacity: 5 } } });
    const answer = await sendArray(numbered(8));
    expect(answer.status).toBe(202);
    expect(outcomes(answer)).toEqual([
      ...Array<string>(5).fill('accepted'),
      ...Array<string>(3).fill('temporary-reduced-capacity'),
    ]);
    expect(rest.rest.accepted.map(({ payload }) => payload)).toEqual([0, 1, 2, 3, 4]);
  });

  it('takes more records than credits, slice by slice, in order', async () => {
    await start();
    const answer = await sendArray(numbered(1800));
    expect(answer.body).toMatchObject({ accepted: 1800, refused: 0 });
    expect(rest.rest.accepted.map(({ payload }) => payload)).toEqual(
      numbered(1800).map(({ payload }) => payload),
    );
  });

  it('refuses the later records of a key after one of them was refused, and no other keys', async () => {
    await start();
    rest.rest.verdictFor = ({ payload }) =>
      payload === 2 ? { kind: 'refused', error: REFUSED } : { kind: 'accepted' };
    const filler = Array.from({ length: 500 }, () => ({ payload: 0 }));
    const records = [
      { key: 'a', payload: 1 },
      { key: 'a', payload: 2 },
      ...filler,
      { key: 'a', payload: 3 },
      { key: 'b', payload: 4 },
    ];
    const results = outcomes(await sendArray(records));
    expect(results.slice(0, 2)).toEqual(['accepted', 'temporary-reduced-capacity']);
    expect(results.slice(-2)).toEqual(['after-refused', 'accepted']);
  });

  it('keeps the rule for the key that the pipeline computes', async () => {
    await start({
      definition: { name: 'test', key: (payload: { by: string }) => payload.by } as never,
      stages: { Gateway: { capacity: 1 } },
    });
    const answer = await sendArray([
      { payload: { by: 'x' } },
      { payload: { by: 'y' } },
      ...Array.from({ length: 499 }, () => ({ payload: { by: 'z' } })),
      { payload: { by: 'y' } },
      { payload: { by: 'x' } },
    ]);
    expect(outcomes(answer).slice(-2)).toEqual(['after-refused', 'accepted']);
  });

  it('charges the rate as a whole, up to a second of it, and only for what is accepted', async () => {
    await start({ gateway: { maxRequestsPerSecond: 100 } });
    rest.rest.verdictFor = ({ payload }) =>
      Number(payload) < 50 ? { kind: 'accepted' } : { kind: 'invalid', issues: [] };
    const answer = await sendArray(numbered(120));
    const results = outcomes(answer);
    expect(results.filter((each) => each === 'accepted')).toHaveLength(50);
    expect(results.filter((each) => each === 'quota-exceeded')).toHaveLength(20);
    expect((await sendArray(numbered(1))).body.type).toBe('/problems/quota-exceeded');
    rest.clock.advance(500);
    expect((await sendArray(numbered(1))).status).toBe(202);
  });

  it('takes the records of a key up to the rate: what is above it holds back none before it (BR2)', async () => {
    await start({ gateway: { maxRequestsPerSecond: 2 } });
    const answer = await sendArray([1, 2, 3].map((payload) => ({ key: 'a', payload })));
    expect(outcomes(answer)).toEqual(['accepted', 'accepted', 'quota-exceeded']);
  });

  it('answers a batch of which nothing was taken with its gravest problem and all results', async () => {
    await start({ bounds: { maxBatchRecords: 3 } });
    const empty = await sendArray([]);
    expect(empty).toMatchObject({
      status: 400,
      body: { type: '/problems/empty-batch', results: [] },
    });
    expect(empty.contentType).toBe('application/problem+json');
    const invalid = await sendArray([{}, 7]);
    expect(invalid).toMatchObject({ status: 422, body: { accepted: 0, refused: 2 } });
    expect(invalid.body.results).toHaveLength(2);
    rest.rest.verdictFor = () => ({ kind: 'refused', error: REFUSED });
    const refused = await sendArray([{}, { payload: 1 }]);
    expect(refused).toMatchObject({
      status: 429,
      body: { type: '/problems/temporary-reduced-capacity', stage: 'IngressProcessing' },
    });
    expect(outcomes(refused)).toEqual(['invalid', 'temporary-reduced-capacity']);
    const large = await sendArray(numbered(4));
    expect(large).toMatchObject({ status: 413, body: { limitRecords: 3 } });
    expect(await send('{"payload":1}', 'application/json')).toMatchObject({ status: 400 });
    expect(await send('', 'application/json')).toMatchObject({ status: 400 });
    rest.intake.close('draining', 'The service is draining.');
    expect(await sendArray(numbered(1))).toMatchObject({
      status: 503,
      body: { type: '/problems/draining' },
    });
  });
});

describe('POST /v1/records:batch with an NDJSON stream', () => {
  it('takes a record a line, in slices, in order', async () => {
    await start();
    const answer = await sendLines(numbered(2500));
    expect(answer.body).toMatchObject({ accepted: 2500, refused: 0 });
    expect(answer.body.ended).toBeUndefined();
    expect(rest.rest.accepted.map(({ payload }) => payload)).toEqual(
      numbered(2500).map(({ payload }) => payload),
    );
    expect(Math.max(...rest.rest.slices)).toBeLessThanOrEqual(100);
  });

  it('answers for each line, and goes on after bad ones', async () => {
    await start({ bounds: { maxRecordBytes: 60 } });
    const lines = ['\uFEFF{"payload":1}', 'nonsense', '', `{"payload":"${'x'.repeat(99)}"}`, '{}'];
    const answer = await send([...lines, '{"payload":2}'].join('\r\n'), 'application/x-ndjson');
    expect(outcomes(answer)).toEqual(['accepted', 'malformed', 'too-large', 'invalid', 'accepted']);
    expect(answer.body.results.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
  });

  it('holds no permit while it is silent, and one a slice while it works; GATEWAY_MAX_STREAMS of them may be open', async () => {
    await start({ gateway: { maxStreams: 15 } });
    const streams = await Promise.all(Array.from({ length: 15 }, openStream));
    await until(() => rest.limits.snapshot().openStreams === 15);
    expect(outstanding(rest)['permits']).toBe(0);
    let open: () => void = () => undefined;
    rest.rest.gate = new Promise((resolve) => {
      open = resolve;
    });
    streams[0]!.send(chunk('{"payload":1}\n'));
    await until(() => outstanding(rest)['permits'] === 1);
    open();
    await until(() => outstanding(rest)['permits'] === 0);
    const more = await sendLines(numbered(1));
    expect(more).toMatchObject({ status: 429, body: { signal: 'streams' } });
    for (const stream of streams) stream.send(END);
    expect((await answerOf(streams[0]!)).accepted).toBe(1);
    expect(await answerOf(streams[1]!)).toMatchObject({ type: '/problems/empty-batch' });
    for (const stream of streams) stream.destroy();
  });

  it('does not read the socket while there are no credits, and goes on when there are', async () => {
    await start({ stages: { Gateway: { capacity: 100 } }, bounds: { maxBatchRecords: 1_000_000 } });
    const lot = rest.controller.requestCredits('Gateway', 100)!;
    const stream = await openStream();
    await until(() => rest.limits.snapshot().delayedCallers === 1);
    rest.clock.advance(100);
    const line = `{"payload":"${'x'.repeat(10_000)}"}\n`;
    for (let i = 0; i < 2000; i += 1) stream.send(chunk(line));
    stream.send(END);
    await until(() => rest.clock.pendingTimers > 0, { what: 'the stream waits for credits' });
    const unsent = await until(async () => {
      const before = stream.socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return before === stream.socket.writableLength ? before : undefined;
    });
    expect(unsent).toBeGreaterThan(5_000_000);
    lot.release();
    expect(await answerOf(stream)).toMatchObject({ accepted: 2000, refused: 0 });
    stream.destroy();
  });

  it('stops waiting after a second in which nothing was admitted, and starts anew with an admission', async () => {
    await start({ stages: { Gateway: { capacity: 10 } } });
    const lot = rest.controller.requestCredits('Gateway', 10)!;
    const stream = await openStream();
    await until(() => rest.limits.snapshot().delayedCallers === 1);
    rest.clock.advance(100);
    stream.send(chunk('{"payload":1}\n'));
    await until(() => rest.clock.pendingTimers === 1, { what: 'it waits for credits' });
    rest.clock.advance(1000);
    await until(() => rest.clock.pendingTimers === 1, { what: 'it waits for its sender' });
    stream.send(chunk('{"payload":2}\n'));
    lot.release();
    stream.send(chunk('{"payload":3}\n') + chunk('{"payload":4}\n') + END);
    const answer = await answerOf(stream);
    expect(answer.results[0]?.problem).toMatchObject({ status: 429, signal: 'credit' });
    expect(answer.results.at(-1)?.status).toBe('accepted');
    stream.destroy();
  });

  it('refuses what comes without waiting again when nothing was admitted for a second', async () => {
    await start({ stages: { Gateway: { capacity: 10 } } });
    const lot = rest.controller.requestCredits('Gateway', 10)!;
    const stream = await openStream();
    await until(() => rest.limits.snapshot().delayedCallers === 1);
    rest.clock.advance(100);
    stream.send(chunk('{"payload":1}\n'));
    await until(() => rest.clock.pendingTimers === 1, { what: 'it waits for credits' });
    rest.clock.advance(1000);
    stream.send(chunk('{"key":"a","payload":2}\n{"key":"a","payload":3}\n'));
    stream.send(chunk('{"key":"a","payload":4}\n') + END);
    const answer = await answerOf(stream);
    expect(answer).toMatchObject({
      accepted: 0,
      refused: 4,
      type: '/problems/temporary-reduced-capacity',
    });
    lot.release();
    stream.destroy();
  });

  it('waits for the rate, and charges only what is accepted', async () => {
    await start({ gateway: { maxRequestsPerSecond: 100 } });
    const sending = sendLines(numbered(150));
    await until(() => rest.rest.taken.length >= 100);
    await until(() => rest.clock.pendingTimers === 1, { what: 'it waits for the rate' });
    while (rest.rest.taken.length < 150) await rest.clock.advanceAsync(100);
    expect((await sending).body).toMatchObject({ accepted: 150, refused: 0 });
  });

  it('refuses records 3 of a key after 2 was refused, and goes on with other keys', async () => {
    await start();
    rest.rest.verdictFor = ({ payload }) =>
      payload === 2 ? { kind: 'refused', error: REFUSED } : { kind: 'accepted' };
    const stream = await openStream();
    stream.send(chunk('{"key":"a","payload":1}\n'));
    await until(() => rest.rest.taken.length === 1);
    stream.send(chunk('{"key":"a","payload":2}\n'));
    await until(() => rest.rest.taken.length === 2);
    stream.send(chunk('{"key":"a","payload":3}\n{"key":"b","payload":4}\n') + END);
    const answer = await answerOf(stream);
    expect(answer.results.map(({ status, problem }) => status ?? problem?.type)).toEqual([
      'accepted',
      '/problems/temporary-reduced-capacity',
      '/problems/after-refused',
      'accepted',
    ]);
    stream.destroy();
  });

  it.each([
    ['idle', 30_000],
    ['too-old', 300_000],
  ])('ends with what it has when it is %s', async (reason, afterMs) => {
    await start();
    const stream = await openStream();
    stream.send(chunk('{"payload":1}\n{"payl'));
    await until(() => rest.rest.accepted.length === 1);
    for (let ms = 0; ms < afterMs; ms += 10_000) {
      await until(() => rest.clock.pendingTimers === 1);
      rest.clock.advance(10_000);
      if (reason === 'too-old' && ms < afterMs - 10_000) {
        stream.send(chunk('\n{"payload":2}\n'));
        const count = rest.rest.accepted.length;
        await until(
          () => rest.rest.accepted.length === count + 1 && rest.clock.pendingTimers === 1,
        );
      }
    }
    const answer = await answerOf(stream);
    expect(answer.ended?.reason).toBe(reason);
    expect(answer.accepted).toBe(rest.rest.accepted.length);
    await until(() => stream.closed, { what: 'the connection is closed' });
  });

  it('ends with what it has at MAX_BATCH_RECORDS and MAX_STREAM_BYTES', async () => {
    await start({ bounds: { maxBatchRecords: 3, maxStreamBytes: 200, maxRecordBytes: 100 } });
    const many = await sendLines(numbered(4));
    expect(many.body).toMatchObject({ accepted: 3, ended: { reason: 'too-many-records' } });
    expect((await sendLines(numbered(3))).body.ended).toBeUndefined();
    const stream = await openStream();
    stream.send(chunk(`{"payload":1}\n{"payload":"${'x'.repeat(80)}"}\n`));
    await until(() => rest.rest.taken.length === 8);
    stream.send(chunk(`{"payload":"${'x'.repeat(80)}"}\n{"payload":"${'x'.repeat(80)}"}\n`));
    expect(await answerOf(stream)).toMatchObject({
      accepted: 2,
      ended: { reason: 'too-many-bytes' },
    });
    stream.destroy();
    expect(await sendLines(numbered(100))).toMatchObject({
      status: 413,
      body: { limitBytes: 200 },
    });
  });

  it('ends with what it has when the service drains', async () => {
    await start();
    const stream = await openStream();
    stream.send(chunk('{"payload":1}\n'));
    await until(() => rest.rest.accepted.length === 1);
    await rest.gateway.drain(rest.clock.now() + 1000);
    expect(await answerOf(stream)).toMatchObject({ accepted: 1, ended: { reason: 'draining' } });
  });

  it('gives everything back when its sender leaves, while it is silent and while it waits', async () => {
    await start({ stages: { Gateway: { capacity: 10 } } });
    const silent = await openStream();
    silent.send(chunk('{"payload":1}\n'));
    await until(() => rest.rest.accepted.length === 1);
    silent.destroy();
    await until(() => rest.limits.snapshot().openStreams === 0);
    const lot = rest.controller.requestCredits('Gateway', 10)!;
    const waiting = await openStream();
    await until(() => rest.limits.snapshot().delayedCallers === 1);
    rest.clock.advance(100);
    waiting.send(chunk('{"payload":2}\n'));
    await until(() => rest.clock.pendingTimers === 1, { what: 'it waits for credits' });
    waiting.destroy();
    await until(() => rest.clock.pendingTimers === 0, { what: 'it waits no longer' });
    lot.release();
    expect(rest.rest.taken).toHaveLength(1);
  });
});
