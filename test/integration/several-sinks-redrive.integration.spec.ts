import { definePipeline } from '../../src/pipeline/definition.js';
import { callbackSink, postgresSink } from '../../src/pipeline/sink-definition.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { type ScriptedAnswer, ScriptedReceiver } from '../support/scripted-receiver.js';
import { until } from '../support/until.js';

const PATH = '/v1/admin/dead-letters';
const SECRET = `whsec_${Buffer.alloc(24, 's').toString('base64')}`;

interface Letter {
  readonly id: string;
  readonly recordId: string;
  readonly state: string;
  readonly destination?: string;
}

/** Thrown by egress: an answer about the record. */
class RefusedError extends Error {
  readonly status = 400;
}

describe('a redrive with several sinks', () => {
  let service: TestApplication;
  let receiver: ScriptedReceiver;
  /** How the two callbacks answer, by their path. */
  let answers: Record<string, ScriptedAnswer>;
  let isEgressDown: boolean;

  beforeEach(async () => {
    answers = { '/a': { status: 204 }, '/b': { status: 204 } };
    isEgressDown = false;
    receiver = await ScriptedReceiver.start();
    receiver.answer = ({ path }) => answers[path]!;
    const to = (name: string) =>
      callbackSink({ name, url: `${receiver.url}/${name}`, secret: SECRET });
    const definition = definePipeline({
      name: 'several',
      egress: () => {
        if (isEgressDown) throw new RefusedError('not today');
      },
      sinks: [postgresSink(), to('a'), to('b')],
    });
    service = await startApplication({}, definition);
  });
  afterEach(async () => {
    await service.close();
    await receiver.stop();
  });

  const call = async <T>(method: 'GET' | 'POST', url: string, payload?: object): Promise<T> => {
    const headers = { host: 'localhost' };
    const request = { method, url, headers, ...(payload !== undefined && { payload }) };
    return (await service.app.inject(request)).json() as T;
  };
  const post = async (): Promise<string> =>
    (await call<{ id: string }>('POST', '/v1/records', { payload: { n: 1 } })).id;
  const ended = (id: string, status: string) =>
    until(
      async () => {
        const found = await call<Record<string, unknown>>('GET', `/v1/records/${id}`);
        return found['status'] === status ? found : undefined;
      },
      { what: `${id} to be ${status}` },
    );
  const letters = async (): Promise<readonly Letter[]> =>
    (await call<{ deadLetters: Letter[] }>('GET', PATH)).deadLetters;
  const letter = async (): Promise<Letter> => (await letters())[0]!;
  const redrive = async (): Promise<void> => {
    await call('POST', `${PATH}/${(await letter()).id}/redrive`);
  };
  const arrivals = (path: string): number =>
    receiver.requests.filter((request) => request.path === path).length;
  const rows = async (): Promise<number> =>
    (await service.database.pool.query('SELECT 1 FROM delivered')).rowCount ?? 0;
  const acknowledgedBy = (record: Record<string, unknown>): string[] =>
    (record['acknowledgments'] as { destination: string }[])
      .map(({ destination }) => destination)
      .toSorted();
  const expectBalanced = async (): Promise<void> => {
    const { conservation } = await call<{ conservation: object }>('GET', '/v1/admin/pipeline');
    expect(conservation).toMatchObject({ accepted: 1, acknowledged: 1, balanced: true });
  };

  it('goes to the sink that gave the record up, and to no other', async () => {
    answers['/a'] = { status: 422 };
    const id = await post();
    await ended(id, 'dead-lettered');
    answers['/a'] = { status: 204 };
    await redrive();
    const record = await ended(id, 'acknowledged');
    expect(acknowledgedBy(record)).toEqual(['a', 'b', 'postgres']);
    expect([arrivals('/a'), arrivals('/b'), await rows()]).toEqual([2, 1, 1]);
    await expectBalanced();
  });

  it('goes to all when the record had reached none, and its letter stays until the last has answered (RE1)', async () => {
    isEgressDown = true;
    const id = await post();
    await ended(id, 'dead-lettered');
    isEgressDown = false;
    answers['/b'] = { status: 503, headers: { 'retry-after': '1' } };
    await redrive();
    await until(async () => (await rows()) === 1 && arrivals('/a') === 1 && arrivals('/b') > 0);
    expect((await letter()).state).toBe('redriving');
    answers['/b'] = { status: 204 };
    const record = await ended(id, 'acknowledged');
    expect(acknowledgedBy(record)).toEqual(['a', 'b', 'postgres']);
    expect((await letter())?.state ?? 'redriven').toBe('redriven');
    await expectBalanced();
  });

  it('goes to each of those that have refused it meanwhile, by a letter of its own (RE3)', async () => {
    isEgressDown = true;
    const id = await post();
    await ended(id, 'dead-lettered');
    isEgressDown = false;
    answers = { '/a': { status: 422 }, '/b': { status: 422 } };
    await redrive();
    const waiting = await until(async () => {
      const found = (await letters()).filter(({ state }) => state === 'waiting');
      return found.length === 2 ? found : undefined;
    });
    answers = { '/a': { status: 204 }, '/b': { status: 204 } };
    for (const each of waiting) await call('POST', `${PATH}/${each.id}/redrive`);
    const record = await ended(id, 'acknowledged');
    expect(acknowledgedBy(record)).toEqual(['a', 'b', 'postgres']);
    expect([arrivals('/a'), arrivals('/b'), await rows()]).toEqual([2, 2, 1]);
    await expectBalanced();
  });
});
