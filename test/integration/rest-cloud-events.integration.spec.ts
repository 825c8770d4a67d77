import {
  NOTHING_OUTSTANDING,
  outstanding,
  type RestGateway,
  startRestGateway,
} from '../support/rest-gateway.js';
import { until } from '../support/until.js';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}
type Fields = Readonly<Record<string, string>>;

const EVENT = { specversion: '1.0', id: 'a-1', source: '/shop', type: 'order.placed' };
const BINARY: Fields = {
  'content-type': 'application/json',
  'ce-specversion': '1.0',
  'ce-id': 'a-1',
  'ce-source': '/shop',
  'ce-type': 'order.placed',
};
const HEADERS = {
  'ce-specversion': '1.0',
  'ce-id': 'a-1',
  'ce-source': '/shop',
  'ce-type': 'order.placed',
};

let rest: RestGateway;

async function post(body: unknown, headers: Fields, path = '/v1/records'): Promise<Answer> {
  const answer = await fetch(`${rest.url}${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
  });
  const answered = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, headers: answer.headers, body: answered };
}
const structured = (event: object): Promise<Answer> =>
  post(event, { 'content-type': 'application/cloudevents+json; charset=utf-8' });
const batch = (events: unknown): Promise<Answer> =>
  post(events, { 'content-type': 'application/cloudevents-batch+json' }, '/v1/records:batch');

function expectInvalid({ status, headers, body }: Answer, path: string, name = 'invalid'): void {
  expect(headers.get('content-type')).toBe('application/problem+json');
  expect(body).toMatchObject({ type: `/problems/${name}`, errors: [{ path }] });
  expect(status).toBe(422);
}

beforeEach(async () => {
  rest = await startRestGateway();
});
afterEach(async () => {
  await until(() => JSON.stringify(outstanding(rest)) === JSON.stringify(NOTHING_OUTSTANDING), {
    what: 'all credits and permits came back',
  });
  await rest.close();
});

describe('CloudEvents over REST', () => {
  it('takes an event in structured mode', async () => {
    const answer = await structured({
      ...EVENT,
      partitionkey: 'k',
      subject: 'café',
      data: { n: 1 },
    });
    expect(answer.status).toBe(200);
    expect(rest.rest.taken[0]).toMatchObject({
      key: 'k',
      payload: { n: 1 },
      headers: { ...HEADERS, 'ce-partitionkey': 'k', 'ce-subject': 'café' },
    });
  });

  it('takes an event in binary mode: the body is its data, of any JSON type', async () => {
    const more = { 'ce-partitionkey': 'k%20%C3%A9', 'penstock-priority': 'high' };
    expect((await post('{"n":1}', { ...BINARY, ...more })).status).toBe(200);
    expect(rest.rest.taken[0]).toMatchObject({
      key: 'k é',
      payload: { n: 1 },
      priority: 'high',
      headers: {
        ...HEADERS,
        'ce-partitionkey': 'k é',
        'ce-datacontenttype': 'application/json',
      },
    });
    const type = 'application/vnd.shop.order+json; charset=utf-8';
    expect((await post('[7]', { ...BINARY, 'content-type': type })).status).toBe(200);
    expect(rest.rest.taken[1]).toMatchObject({
      payload: [7],
      headers: { 'ce-datacontenttype': type },
    });
  });

  it('takes data as base64 of JSON', async () => {
    const data_base64 = Buffer.from('{"n":1}').toString('base64');
    expect((await structured({ ...EVENT, data_base64 })).status).toBe(200);
    expect(rest.rest.taken[0]!.payload).toEqual({ n: 1 });
    const image = await structured({ ...EVENT, data_base64, datacontenttype: 'image/png' });
    expectInvalid(image, '/data_base64');
  });

  it('takes a batch of events, one result each', async () => {
    const answer = await batch([
      { ...EVENT, data: 1 },
      { ...EVENT, specversion: '0.3', data: 2 },
      { ...EVENT, id: 'a-3', data: '\ud800' },
      { ...EVENT, id: 'a-4', data: 4 },
    ]);
    expect(answer).toMatchObject({ status: 202, body: { accepted: 2, refused: 2 } });
    expect(answer.body['results']).toMatchObject([
      { index: 0, status: 'accepted' },
      { index: 1, problem: { status: 422, errors: [{ path: '/specversion' }] } },
      { index: 2, problem: { status: 422, errors: [{ path: '/data' }] } },
      { index: 3, status: 'accepted' },
    ]);
    expect(rest.rest.taken.map(({ payload }) => payload)).toEqual([1, 4]);
  });

  it.each([
    ['a missing attribute', { id: undefined }, '/id'],
    ['another version', { specversion: '0.3' }, '/specversion'],
    ['an attribute that is none', { 'Shop-Id': 1 }, '/Shop-Id'],
    ['no data', { data: undefined }, '/data'],
    ['text that can not be kept', { subject: 'a\u0000' }, '/subject'],
  ])('answers %s with 422 and the path', async (_what, change, path) => {
    expectInvalid(await structured({ ...EVENT, data: 1, ...change }), path);
  });

  it('answers in binary mode with the paths of the whole event', async () => {
    const { 'ce-id': _id, ...withoutId } = BINARY;
    expectInvalid(await post('1', withoutId), '/id');
    expectInvalid(await post('1', { ...BINARY, 'ce-subject': '%C0' }), '/subject');
    expectInvalid(await post('{"a":["\\u0000"]}', BINARY), '/data/a/0');
    expectInvalid(await post('{"a":1e999}', BINARY), '/data/a', 'unsafe-number');
    const wrong = await post('{"a":', BINARY);
    expect(wrong).toMatchObject({ status: 400, body: { type: '/problems/malformed' } });
    expect(rest.rest.taken).toEqual([]);
  });

  it('names the data in what the pipeline says about it', async () => {
    const issues = [{ path: '/n', message: 'must be positive' }];
    rest.rest.verdictFor = () => ({ kind: 'invalid', issues });
    expectInvalid(await structured({ ...EVENT, data: { n: 0 } }), '/data/n');
    expectInvalid(await post('{"n":0}', BINARY), '/data/n');
    const { body } = await batch([{ ...EVENT, data: { n: 0 } }]);
    expect(body['results']).toMatchObject([{ problem: { errors: [{ path: '/data/n' }] } }]);
  });

  it('refuses data that is not JSON, and an event where none can be, with 415', async () => {
    const refused = [
      await post('x', { ...BINARY, 'content-type': 'text/plain' }),
      await post([], { 'content-type': 'application/cloudevents-batch+json' }),
      await post({ ...EVENT, data: 1 }, { 'content-type': 'application/cloudevents+xml' }),
      await post({ a: 1 }, { 'content-type': 'application/order+json' }),
      await post(
        { ...EVENT, data: 1 },
        { 'content-type': 'application/cloudevents+json' },
        '/v1/records:batch',
      ),
    ];
    for (const { status, body } of refused) {
      expect(body).toMatchObject({ type: '/problems/unsupported-media-type' });
      expect(status).toBe(415);
    }
  });

  it('knows an event by its source and id, in every mode and in a batch; Idempotency-Key wins', async () => {
    const data = { n: 1 };
    await structured({ ...EVENT, data });
    await post(data, BINARY);
    await batch([{ ...EVENT, data }]);
    await structured({ ...EVENT, source: '/other', data });
    const [first, second, third, other] = rest.rest.taken.map((record) => record.idempotencyKey!);
    expect(second).toEqual(first);
    expect(third).toEqual(first);
    expect(other!.key).not.toBe(first!.key);
    await post(data, { ...BINARY, 'idempotency-key': 'mine' });
    expect(rest.rest.taken[4]!.idempotencyKey!.key).toBe('mine');
  });

  it('takes a structured event by its media type, whatever its header fields say', async () => {
    const headers = { ...BINARY, 'content-type': 'application/cloudevents+json', 'ce-id': 'b' };
    expect((await post({ ...EVENT, data: 1 }, headers)).status).toBe(200);
    expect(rest.rest.taken[0]!.headers).toMatchObject({ 'ce-id': 'a-1' });
  });
});
