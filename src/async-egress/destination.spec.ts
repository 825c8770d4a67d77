import { type ScriptedAnswer, ScriptedReceiver } from '../../test/support/scripted-receiver.js';
import { StageHarness } from '../../test/support/stage-harness.js';
import { until } from '../../test/support/until.js';
import { asyncEgressOptions } from './async-egress.options.js';

describe('The call to EGRESS_URL', () => {
  let receiver: ScriptedReceiver;

  beforeAll(async () => {
    receiver = await ScriptedReceiver.start();
  });

  afterAll(() => receiver.stop());

  beforeEach(() => {
    receiver.requests.length = 0;
  });

  /** Real time is only the network's; the stage's own time stands still. */
  async function run(
    answer: ScriptedAnswer,
    headers?: string,
  ): Promise<{ end: string | undefined; body: string | undefined; record: object }> {
    receiver.answer = () => answer;
    const url = `${receiver.url}/enrich?by=test`;
    const harness = await new StageHarness({
      egress: { url, ...(headers === undefined ? {} : { headers }) },
    }).start();
    const [record] = await harness.accept([{ n: 1 }]);
    await until(() => record?.terminal ?? record?.failures, { what: 'the call has ended' });
    await harness.advance();
    const end = harness.endOf(record!);
    await harness.stop();
    return { end, body: record?.body?.toString(), record: record! };
  }

  it('POSTs the bytes of the record with its id and EGRESS_HEADERS', async () => {
    const { end } = await run({ status: 204 }, '{"Authorization":"Bearer secret"}');
    expect(end).toBe('acknowledged');
    expect(receiver.requests).toMatchObject([
      {
        method: 'POST',
        path: '/enrich?by=test',
        body: '{"n":1}',
        headers: {
          authorization: 'Bearer secret',
          'content-type': 'application/json',
          'penstock-record-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
        },
      },
    ]);
  });

  it('replaces the payload by the answer of a 200, keeps it at a 204', async () => {
    const replaced = await run({ body: '{"m":2}' });
    const kept = await run({ status: 204 });
    expect([replaced.body, kept.body]).toEqual(['{"m":2}', '{"n":1}']);
  });

  it('dead-letters a record whose answer is not JSON or too large', async () => {
    const text = await run({ body: '<html>' });
    const large = await run({ body: `"${'x'.repeat(2 ** 21)}"` });
    expect([text.end, large.end]).toEqual(['dead-lettered: rejected', 'dead-lettered: rejected']);
    expect(large.record).toMatchObject({
      failures: [{ error: expect.stringContaining('larger than 1048576 bytes') }],
    });
  });

  it('sorts answers by their status', async () => {
    const bad = await run({ status: 422 });
    const broken = await run({ status: 500 });
    expect(bad.end).toBe('dead-lettered: rejected');
    expect(broken.end).toBeUndefined();
    expect(broken.record).toMatchObject({ attempts: 1, failures: [{ status: 500 }] });
  });

  it('takes any answer with Retry-After as busy', async () => {
    for (const header of ['2', new Date(Date.now() + 60_000).toUTCString(), 'soon']) {
      const { record } = await run({ status: 503, headers: { 'retry-after': header } });
      expect(record).toMatchObject({ attempts: 0 });
    }
  });

  it('takes a connection that nobody accepts or that is cut as an outage', async () => {
    const cut = await run('drop');
    expect(cut.record).toMatchObject({ attempts: 0, failures: [{}], terminal: undefined });
  });
});

describe('EGRESS_HEADERS', () => {
  it.each(['text', '[]', '{"a":1}', '{"a b":"c"}', '{"a":"b\\r\\nc: d"}'])(
    'must be a JSON object of header names and texts: not %s',
    (headers) => {
      const result = asyncEgressOptions.schema.safeParse({ headers });
      expect(result.error?.issues[0]?.message).toBe(
        'must be a JSON object of header names and texts (got a value not shown)',
      );
    },
  );
});
