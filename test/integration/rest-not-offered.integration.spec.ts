import { from } from '../../src/pipeline/from.js';
import { kafka, rest } from '../../src/pipeline/source-definition.js';
import { openApiDocument } from '../../src/openapi/openapi.js';
import { startRestGateway } from '../support/rest-gateway.js';

describe('A pipeline with sources', () => {
  const answersOf = async (definition: ReturnType<typeof from>) => {
    const gateway = await startRestGateway({ definition });
    const post = (path: string): Promise<Response> =>
      fetch(`${gateway.url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(path.endsWith('batch') ? [{ payload: 1 }] : { payload: 1 }),
      });
    try {
      return [await post('/v1/records'), await post('/v1/records:batch')];
    } finally {
      await gateway.close();
    }
  };

  it('takes records by REST when rest() is one of them', async () => {
    const answers = await answersOf(from(kafka('orders'), rest()));
    expect(answers.map(({ ok }) => ok)).toEqual([true, true]);
  });

  it.each([
    [
      'with',
      from(kafka('orders'), rest()),
      ['/v1/records', '/v1/records/{id}', '/v1/records:batch'],
    ],
    ['without', from(kafka('orders')), ['/v1/records/{id}']],
  ])('describes in OpenAPI what it offers: %s rest()', async (_, definition, expected) => {
    const gateway = await startRestGateway({ definition });
    try {
      const { paths } = openApiDocument(gateway.app, 'test');
      const records = Object.keys(paths).filter((path) => path.startsWith('/v1/records'));
      expect(records.toSorted()).toEqual(expected);
    } finally {
      await gateway.close();
    }
  });

  it('answers 404 not-offered, before the body is read, when rest() is none of them', async () => {
    for (const answer of await answersOf(from(kafka('orders')))) {
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
      expect(await answer.json()).toMatchObject({
        type: '/problems/not-offered',
        detail: 'The pipeline orders takes records from Kafka only.',
      });
    }
  });
});
