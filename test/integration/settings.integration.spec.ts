import { startApplication, type TestApplication } from '../support/application.js';
import { order } from '../support/orders.js';
import { until } from '../support/until.js';

/** Settings whose effect is in the database or in the whole application; the others have their test at their module. */
describe('settings of the ledger', () => {
  let service: TestApplication | undefined;
  const start = async (environment: Record<string, string>): Promise<TestApplication> => {
    service = await startApplication(environment);
    return service;
  };
  afterEach(async () => {
    await service?.close();
    service = undefined;
  });

  const post = (sequence: number, change: object = {}) =>
    service!.app.inject({
      method: 'POST',
      url: '/v1/records',
      payload: { payload: { ...order('c', sequence), ...change } },
    });

  it.each([
    ['JOURNAL_MAX_RECORDS', '1'],
    ['JOURNAL_MAX_BYTES', '300'],
  ])('%s=%s refuses what would exceed it with 429 journal-backlog', async (name, value) => {
    const { database } = await start({ [name]: value });
    const lock = await database.pool.connect();
    await lock.query('BEGIN');
    await lock.query('LOCK TABLE delivered IN ACCESS EXCLUSIVE MODE');
    lock.on('error', () => undefined);
    const answers = [await post(1), await post(2)];
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([202, 429]);
    expect(answers[1]!.json()).toMatchObject({
      stage: 'IngressProcessing',
      signal: 'journal-backlog',
    });
    await lock.query('ROLLBACK');
    lock.release();
    await until(async () => (await post(4)).statusCode === 202, { what: 'there is room again' });
  });

  it('LEASE_MS is how long a lease is held, KEYGEN_NUMBER_OF_PARTITIONS how many there are, INSTANCE_ID whose they are', async () => {
    const settings = { KEYGEN_NUMBER_OF_PARTITIONS: '3', INSTANCE_ID: 'replica-7' };
    const { database } = await start({ ...settings, LEASE_MS: '600000' });
    const { rows } = await database.pool.query(
      `SELECT count(*)::int AS partitions, bool_and(owner LIKE 'replica-7#%') AS "isOurs",
         bool_and(expires_at BETWEEN now() + interval '9 min' AND now() + interval '10 min') AS "isTenMinutes"
       FROM partition_lease`,
    );
    expect(rows[0]).toEqual({ partitions: 3, isOurs: true, isTenMinutes: true });
  });

  it('EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE bounds the dead letters of all stages; SINK_TABLE is where records go', async () => {
    const { database } = await start({
      EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE: '1',
      SINK_TABLE: 'shipped',
    });
    await database.pool.query(`ALTER TABLE shipped ADD CHECK (payload->>'currency' <> 'USD')`);
    const ids: string[] = [];
    for (const sequence of [1, 2]) ids.push((await post(sequence, { currency: 'USD' })).json().id);
    const status = async (id: string) =>
      (await service!.app.inject(`/v1/records/${id}`)).json().status;
    await until(async () => (await status(ids[0]!)) === 'dead-lettered', { what: 'the first end' });
    expect(await status(ids[1]!)).toBe('accepted');
    const { rows } = await database.pool.query('SELECT count(*)::int AS letters FROM dead_letter');
    expect(rows).toEqual([{ letters: 1 }]);
  });
});
