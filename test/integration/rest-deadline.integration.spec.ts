import {
  NOTHING_OUTSTANDING,
  outstanding,
  type RestGateway,
  startRestGateway,
} from '../support/rest-gateway.js';
import { until } from '../support/until.js';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

let rest: RestGateway;

async function post(
  deadline: string | undefined,
  body = '{"payload":1}',
  type = 'application/json',
): Promise<Answer> {
  const path = type === 'application/json' && !body.startsWith('[') ? '' : ':batch';
  const answer = await fetch(`${rest.url}/v1/records${path}`, {
    method: 'POST',
    body,
    headers: {
      'content-type': type,
      ...(deadline === undefined ? {} : { 'penstock-deadline': deadline }),
    },
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

/** So many ms from the time of the fake clock. */
const inMs = (ms: number): string => new Date(rest.clock.wallNow() + ms).toISOString();

describe('Penstock-Deadline', () => {
  beforeEach(async () => {
    rest = await startRestGateway();
  });
  afterEach(async () => {
    await until(() => JSON.stringify(outstanding(rest)) === JSON.stringify(NOTHING_OUTSTANDING), {
      what: 'all credits and permits came back',
    });
    await rest.close();
  });

  it('goes with every record of the request; without it a record has none', async () => {
    expect((await post(undefined)).status).toBe(200);
    expect((await post('2026-01-01T01:00:00.5+01:00')).status).toBe(200);
    expect((await post(inMs(5000), '[{"payload":1},{"payload":2}]')).status).toBe(202);
    const deadlines = rest.rest.taken.map(({ expiresAtMs }) => expiresAtMs - rest.clock.wallNow());
    expect(deadlines).toEqual([Infinity, 500, 5000, 5000]);
  });

  it.each(['tomorrow', '2026-01-01', '1767225600', '2026-02-30T00:00:00Z', ''])(
    'is refused with 400 when it is no time: "%s"',
    async (deadline) => {
      const { status, body } = await post(deadline);
      expect(body).toMatchObject({ type: '/problems/malformed' });
      expect(status).toBe(400);
    },
  );

  it('is refused with 422 when it has passed at the arrival', async () => {
    for (const ms of [0, -1, -86_400_000]) {
      const { status, body } = await post(inMs(ms));
      expect(body).toMatchObject({ type: '/problems/deadline-passed', status: 422 });
      expect(status).toBe(422);
    }
    expect((await post(inMs(-1), '[{"payload":1}]')).status).toBe(422);
    expect(rest.rest.taken).toEqual([]);
  });

  it('is refused with 429, signal deadline, when the measured delay can not meet it', async () => {
    const admission = rest.controller.tryAdmit(20)!;
    // Nothing ends: what is known is the age of the oldest record.
    rest.clock.advance(3000);
    expect((await post(inMs(2999))).body).toMatchObject({
      type: '/problems/temporary-reduced-capacity',
      status: 429,
      signal: 'deadline',
      detail: 'A record takes 3000 ms at the moment, and its deadline is in 2999 ms.',
      retryAfterMs: expect.any(Number),
    });
    expect((await post(inMs(3001))).status).toBe(200);
    // Ten records end in a second: the twenty that are inside take two.
    for (let i = 0; i < 10; i += 1) {
      rest.clock.advance(100);
      rest.controller.meter('FinalSink').completed(1, 100);
    }
    rest.controller.evaluate();
    const { perSecond } = rest.controller.getPipelineStatus().stages.at(-1)!;
    const delayMs = Math.round((20 / perSecond) * 1000);
    expect((await post(inMs(delayMs - 10))).body).toMatchObject({ signal: 'deadline' });
    expect((await post(inMs(delayMs + 10))).status).toBe(200);
    expect((await post(undefined)).status).toBe(200);
    admission.release();
    expect((await post(inMs(1))).status).toBe(200);
  });

  it('refuses the rest of a stream when it passes while the stream goes on', async () => {
    let isFirst = true;
    rest.rest.verdictFor = () => {
      if (isFirst) rest.clock.advance(1000);
      isFirst = false;
      return { kind: 'accepted' };
    };
    const lines = Array.from({ length: 150 }, () => '{"payload":1}\n').join('');
    const { body } = await post(inMs(500), lines, 'application/x-ndjson');
    expect(body).toMatchObject({ accepted: 100, refused: 50 });
    const last = (body['results'] as object[]).at(-1);
    expect(last).toMatchObject({ problem: { type: '/problems/deadline-passed' } });
  });
});
