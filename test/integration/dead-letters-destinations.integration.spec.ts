import type { AnyPipelineDefinition } from '../../src/pipeline/definition.js';
import { postgresSink } from '../../src/pipeline/sink-definition.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { until } from '../support/until.js';

interface Letter {
  readonly id: string;
  readonly destination: string;
  readonly state: string;
}

const PATH = '/v1/admin/dead-letters';

describe('a redrive of a record with several destinations', () => {
  let isEgressBroken = false;
  const definition = {
    name: 'several',
    egress: () => {
      if (isEgressBroken) throw Object.assign(new Error('not found'), { status: 404 });
    },
    sinks: [
      postgresSink({ table: 'left_table', name: 'left' }),
      postgresSink({ table: 'right_table', name: 'right' }),
    ],
  } as AnyPipelineDefinition;
  let service: TestApplication;
  beforeEach(async () => {
    isEgressBroken = false;
    service = await startApplication({}, definition);
  });
  afterEach(() => service.close());

  const query = async <Row>(text: string): Promise<Row[]> =>
    (await service.database.pool.query(text)).rows as Row[];
  const breakTable = (name: string) =>
    query(`ALTER TABLE ${name}_table ADD CONSTRAINT broken CHECK (record_id = '') NOT VALID`);
  const mend = (name: string) => query(`ALTER TABLE ${name}_table DROP CONSTRAINT broken`);
  const rowsOf = async (name: string): Promise<number> =>
    (await query<{ count: number }>(`SELECT count(*)::int FROM ${name}_table`))[0]!.count;
  const call = async <T>(method: 'GET' | 'POST' | 'DELETE', url: string): Promise<T> =>
    (await service.app.inject({ method, url, headers: { host: 'localhost' } })).json() as T;
  const letters = async (): Promise<readonly Letter[]> =>
    (await call<{ deadLetters: Letter[] }>('GET', PATH)).deadLetters;
  const post = async (): Promise<string> => {
    const request = { method: 'POST', url: '/v1/records', payload: { payload: { n: 1 } } } as const;
    return ((await service.app.inject(request)).json() as { id: string }).id;
  };
  const ended = (id: string, status: string, acknowledged: readonly string[]) =>
    until(
      async () => {
        const record = await call<{
          status: string;
          acknowledgments: readonly { destination: string }[];
        }>('GET', `/v1/records/${id}`);
        const by = record.acknowledgments.map(({ destination }) => destination).toSorted();
        return record.status === status && by.join() === acknowledged.join() ? record : undefined;
      },
      { what: `${id} to be ${status}, by ${acknowledged.join()}` },
    );
  const books = async () =>
    (await call<{ conservation: object }>('GET', '/v1/admin/pipeline')).conservation;
  const redrive = async (destination: string): Promise<void> => {
    const letter = (await letters()).find((each) => each.destination === destination);
    await call('POST', `${PATH}/${letter!.id}/redrive`);
  };
  const states = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await letters()).map(({ destination, state }) => [destination, state]));

  it('goes to the destination of the letter only', async () => {
    await breakTable('right');
    const id = await post();
    await ended(id, 'dead-lettered', ['left']);
    expect(await states()).toEqual({ right: 'waiting' });
    await mend('right');
    await query('DELETE FROM left_table');
    await redrive('right');
    await ended(id, 'acknowledged', ['left', 'right']);
    expect([await rowsOf('left'), await rowsOf('right')]).toEqual([0, 1]);
    expect(await books()).toMatchObject({ acknowledged: 1, deadLettered: 0, balanced: true });
  });

  it('ends the record with the last of its letters', async () => {
    for (const name of ['left', 'right']) await breakTable(name);
    const id = await post();
    await ended(id, 'dead-lettered', []);
    expect(await states()).toEqual({ left: 'waiting', right: 'waiting' });
    expect(await books()).toMatchObject({ deadLettered: 1, inFlight: 0, balanced: true });
    for (const name of ['left', 'right']) await mend(name);
    await redrive('left');
    await ended(id, 'dead-lettered', ['left']);
    expect(await books()).toMatchObject({ acknowledged: 0, deadLettered: 1, balanced: true });
    await redrive('right');
    await ended(id, 'acknowledged', ['left', 'right']);
    expect(await books()).toMatchObject({ acknowledged: 1, deadLettered: 0, balanced: true });
  });

  it('that reached none goes to all, and is dead at those that refuse it', async () => {
    isEgressBroken = true;
    const id = await post();
    await ended(id, 'dead-lettered', []);
    expect(await states()).toEqual({ egress: 'waiting' });
    isEgressBroken = false;
    await breakTable('right');
    await redrive('egress');
    await ended(id, 'dead-lettered', ['left']);
    // The letter is that of the destination now.
    expect(await states()).toEqual({ right: 'waiting' });
    expect([await rowsOf('left'), await rowsOf('right')]).toEqual([1, 0]);
    expect(await books()).toMatchObject({ deadLettered: 1, inFlight: 0, balanced: true });
    await mend('right');
    await redrive('right');
    await ended(id, 'acknowledged', ['left', 'right']);
    expect(await books()).toMatchObject({ acknowledged: 1, deadLettered: 0, balanced: true });
  });

  it('that several refuse then has a letter for each of them', async () => {
    isEgressBroken = true;
    const id = await post();
    await ended(id, 'dead-lettered', []);
    isEgressBroken = false;
    for (const name of ['left', 'right']) await breakTable(name);
    await redrive('egress');
    await until(async () => {
      const { left, right } = await states();
      return left === 'waiting' && right === 'waiting';
    });
    expect(await letters()).toHaveLength(2);
    expect(await books()).toMatchObject({ deadLettered: 1, inFlight: 0, balanced: true });
    for (const name of ['left', 'right']) await mend(name);
    for (const name of ['left', 'right']) await redrive(name);
    await ended(id, 'acknowledged', ['left', 'right']);
    expect([await rowsOf('left'), await rowsOf('right')]).toEqual([1, 1]);
    expect(await books()).toMatchObject({ acknowledged: 1, deadLettered: 0, balanced: true });
  });
});
