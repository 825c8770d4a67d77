import type { PreprocessContext } from '../../src/pipeline/definition.js';
import { startApplication, type TestApplication } from '../support/application.js';

const TOO_LONG = 1_000_000;

/** Discards with what the payload names, as careless code would. */
const REASONS: Readonly<Record<string, unknown>> = {
  symbol: Symbol('reason'),
  object: { reason: 'test' },
  nothing: undefined,
  null: 'a\u0000b',
  surrogate: 'a\ud800b',
  long: 'r'.repeat(TOO_LONG),
};

describe('the reason of a discarded record', () => {
  let application: TestApplication;
  beforeAll(async () => {
    application = await startApplication(
      {},
      {
        name: 'discards',
        preprocess: (payload: never, { discard }: PreprocessContext) =>
          discard(REASONS[payload] as string),
      },
    );
  });
  afterAll(() => application.close());

  const post = (payload: string) =>
    application.app.inject({ method: 'POST', url: '/v1/records', payload: { payload } });

  it.each(['symbol', 'object', 'nothing'])(
    'must be text: with %s the pipeline has failed',
    async (name) => {
      const answer = await post(name);
      expect(answer.statusCode).toBe(500);
      expect(answer.json()).toMatchObject({
        type: '/problems/pipeline-error',
        detail: expect.stringContaining('must give discard a text'),
      });
    },
  );

  it.each([
    ['null', 'a\ufffdb'],
    ['surrogate', 'a\ufffdb'],
  ])('is kept as the books can hold it: %s', async (name, reason) => {
    const answer = await post(name);
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ status: 'discarded', reason });
  });

  it('is cut to a bound', async () => {
    const answer = await post('long');
    expect(answer.statusCode).toBe(200);
    expect((answer.json() as { reason: string }).reason).toHaveLength(1000);
  });
});
