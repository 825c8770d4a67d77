import type { AnyPipelineDefinition, EgressContext } from '../../src/pipeline/definition.js';
import {
  Destinations,
  type DestinationStatus,
} from '../../src/pipeline/destination/destinations.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { ScriptedReceiver } from '../support/scripted-receiver.js';
import { until } from '../support/until.js';

jest.setTimeout(120_000);
const DEADLINE_MS = 60_000;

interface Order {
  readonly key: string;
  readonly sequence: number;
}

/** The whole application in front of a real HTTP server that misbehaves as told. */
describe('a destination over HTTP', () => {
  let service: TestApplication;
  let receiver: ScriptedReceiver;

  const start = async (
    environment: Record<string, string>,
    definition: Partial<AnyPipelineDefinition> = {},
  ): Promise<void> => {
    receiver = await ScriptedReceiver.start();
    const url = definition.egress === undefined ? { EGRESS_URL: receiver.url } : {};
    service = await startApplication(
      { GATEWAY_MAX_REQUESTS_PER_SECOND: '0', ...url, ...environment },
      { name: 'outages', key: (({ key }: Order) => key) as never, ...definition },
    );
  };
  afterEach(async () => {
    await service.close();
    await receiver.stop();
  });

  const post = async (orders: readonly Order[]): Promise<void> => {
    const answer = await service.app.inject({
      method: 'POST',
      url: '/v1/records:batch',
      payload: orders.map((payload) => ({ payload })),
    });
    expect(answer.json()).toMatchObject({ accepted: orders.length, refused: 0 });
  };
  const ordersOf = (count: number, keys: number): Order[] =>
    Array.from({ length: count }, (_, sequence) => ({ key: `k${sequence % keys}`, sequence }));
  const egress = (): DestinationStatus =>
    service.app
      .get(Destinations)
      .all()
      .find(({ kind }) => kind === 'egress')!;
  const ends = async (): Promise<{ delivered: number; letters: Record<string, number> }> => {
    const { pool } = service.database;
    const delivered = await pool.query('SELECT count(*)::int AS n FROM delivered');
    const letters = await pool.query(
      'SELECT reason, count(*)::int AS n FROM dead_letter GROUP BY 1',
    );
    return {
      delivered: delivered.rows[0].n,
      letters: Object.fromEntries(letters.rows.map(({ reason, n }) => [reason, n])),
    };
  };
  const allEnded = (count: number): Promise<unknown> =>
    until(
      async () => {
        const { delivered, letters } = await ends();
        return delivered + Object.values(letters).reduce((a, b) => a + b, 0) === count;
      },
      { deadlineMs: DEADLINE_MS, what: `${count} records have their end` },
    );

  it('that fails 30 % of its calls gets retries within the budget, and every key in its order', async () => {
    const succeeded: Order[] = [];
    await start(
      { EGRESS_MAX_RETRIES: '10' },
      {
        egress: ((order: Order, { http }: EgressContext) =>
          http.post(receiver.url, order)) as never,
      },
    );
    receiver.answer = ({ body }, index) => {
      if ([1, 4, 7].includes(index % 10)) return { status: 500 };
      succeeded.push(JSON.parse(body) as Order);
      return { status: 204 };
    };
    const count = 300;
    const startedMs = Date.now();
    await post(ordersOf(count, 7));
    await allEnded(count);
    const seconds = (Date.now() - startedMs) / 1000;
    const { delivered, letters } = await ends();
    expect(Object.keys(letters)).toEqual(['retry-budget']);
    expect(succeeded).toHaveLength(delivered);
    // The retries of any ten seconds are bounded (G1); a longer run has more of these.
    const windows = Math.ceil(seconds / 10);
    const charged = receiver.requests.length - count;
    expect(charged).toBeGreaterThan(30);
    expect(charged).toBeLessThanOrEqual(windows * (0.2 * count + 30));
    for (let k = 0; k < 7; k += 1) {
      const sequences = succeeded.filter(({ key }) => key === `k${k}`).map((each) => each.sequence);
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    }
  });

  it('that is away opens the breaker and costs nothing: no attempt, no dead letter; once it is back all is delivered', async () => {
    await start({ EGRESS_BREAKER_OPEN_MS: '100', EGRESS_BREAKER_MAX_OPEN_MS: '500' });
    await receiver.goAway();
    await post(ordersOf(100, 20));
    await until(() => egress().guard.breaker.opened >= 3, {
      deadlineMs: DEADLINE_MS,
      what: 'probes have failed twice',
    });
    expect(egress().state).toBe('away');
    const health = await service.app.inject('/health');
    expect(health.json().details.egress).toMatchObject({ status: 'degraded', state: 'away' });
    expect((await service.app.inject('/health/ready')).statusCode).toBe(200);
    expect(await ends()).toEqual({ delivered: 0, letters: {} });
    expect(egress().guard.failedAttempts).toMatchObject({ retried: 0, 'attempts-used-up': 0 });
    expect(egress().guard.failedAttempts['held-outage']).toBeGreaterThan(10);
    await receiver.comeBack();
    await allEnded(100);
    expect(await ends()).toEqual({ delivered: 100, letters: {} });
    expect(egress()).toMatchObject({ state: 'ready', guard: { breaker: { state: 'closed' } } });
    for (let k = 0; k < 20; k += 1) {
      const payloads = receiver.payloads() as Order[];
      const sequences = payloads.filter(({ key }) => key === `k${k}`).map((each) => each.sequence);
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
    }
  });

  it('that is away fills the dead letters when told (EGRESS_OUTAGE_POLICY=dead-letter)', async () => {
    await start({ EGRESS_OUTAGE_POLICY: 'dead-letter', EGRESS_MAX_RETRIES: '2' });
    await receiver.goAway();
    await post(ordersOf(3, 3));
    await allEnded(3);
    expect(await ends()).toEqual({ delivered: 0, letters: { 'attempts-used-up': 3 } });
  });

  it('that is busy is not called before the moment it asks for (429, Retry-After)', async () => {
    await start({ EGRESS_MAX_CONCURRENT_OPERATIONS: '1' });
    receiver.answers({ status: 429, headers: { 'retry-after': '1' } });
    await post(ordersOf(10, 10));
    await allEnded(10);
    const [first, second] = receiver.requests.map(({ atMs }) => atMs);
    // A clock of whole milliseconds, and a timer that may be early by one.
    expect(second! - first!).toBeGreaterThanOrEqual(995);
    expect(receiver.requests).toHaveLength(11);
    expect(await ends()).toEqual({ delivered: 10, letters: {} });
    expect(egress().guard.failedAttempts).toMatchObject({ 'held-busy': 1, retried: 0 });
  });

  it('that does not answer costs its permit at the timeout, and its connection', async () => {
    await start({ EGRESS_OPERATION_TIMEOUT_MS: '1000', EGRESS_MAX_CONCURRENT_OPERATIONS: '2' });
    receiver.answers('silence', 'silence', 'silence');
    await post(ordersOf(20, 20));
    await allEnded(20);
    expect(await ends()).toEqual({ delivered: 20, letters: {} });
    const { calls, abandoned } = egress().guard;
    expect(calls.timeout).toBeGreaterThanOrEqual(3); // An answer may be slow as well.
    expect(abandoned).toBe(0);
    expect(receiver.mostAtOnce).toBeLessThanOrEqual(2);
  });

  it('whose calls ignore their signal is left alone until they end; at most twice the limit run', async () => {
    const limit = 3;
    let running = 0;
    let most = 0;
    let isStuck = true;
    const stuck: (() => void)[] = [];
    const call = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      if (isStuck) await new Promise<void>((resolve) => stuck.push(resolve));
      running -= 1;
    };
    await start(
      {
        EGRESS_OPERATION_TIMEOUT_MS: '100',
        EGRESS_MAX_CONCURRENT_OPERATIONS: String(limit),
        EGRESS_BREAKER_OPEN_MS: '100',
      },
      { egress: call as never },
    );
    await post(ordersOf(30, 30));
    await until(() => egress().guard.breaker.state === 'open', {
      deadlineMs: DEADLINE_MS,
      what: 'the breaker has opened',
    });
    expect(egress().state).toBe('away');
    expect(egress().guard.abandoned).toBeGreaterThanOrEqual(limit);
    isStuck = false;
    for (const resolve of stuck) resolve();
    await allEnded(30);
    expect(most).toBeLessThanOrEqual(2 * limit);
    expect(await ends()).toEqual({ delivered: 30, letters: {} });
    expect(egress().guard).toMatchObject({ abandoned: 0, breaker: { state: 'closed' } });
  });
});
