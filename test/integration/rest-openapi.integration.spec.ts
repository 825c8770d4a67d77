import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { checkedAnswers } from '../support/answer-watch.js';
import { type RestGateway, startRestGateway } from '../support/rest-gateway.js';

interface Media {
  readonly schema: object;
  readonly example: unknown;
}
interface Operation {
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, Media>> }>
  >;
}

describe('The description of the record routes', () => {
  let rest: RestGateway;
  let paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;

  beforeAll(async () => {
    rest = await startRestGateway();
    const document = SwaggerModule.createDocument(rest.app, new DocumentBuilder().build());
    paths = document.paths as never;
  });
  afterAll(() => rest.close());

  it('names every answer of every route', () => {
    const intake = '202 400 401 403 406 408 409 413 415 422 429 500 503'.split(' ');
    expect(Object.keys(paths['/v1/records']!['post']!.responses).toSorted()).toEqual(
      ['200', ...intake].toSorted(),
    );
    const batch = Object.entries(paths).find(([path]) => path.includes('batch'))?.[1]['post'];
    expect(Object.keys(batch!.responses).toSorted()).toEqual(intake.toSorted());
    expect(Object.keys(batch!.requestBody!.content)).toEqual([
      'application/json',
      'application/x-ndjson',
      'application/cloudevents-batch+json',
    ]);
    expect(Object.keys(paths['/v1/records/{id}']!['get']!.responses)).toEqual([
      '200',
      '401',
      '403',
      '404',
      '503',
    ]);
  });

  it('gives examples that fit their schemas', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    const media = operations.flatMap(({ requestBody, responses }) =>
      [requestBody, ...Object.values(responses)].flatMap((each) =>
        Object.values(each?.content ?? {}),
      ),
    );
    expect(media.length).toBeGreaterThan(20);
    for (const { schema, example } of media) {
      expect(example).toBeDefined();
      const isValid = ajv.validate(schema, example);
      expect([isValid, ajv.errorsText()]).toEqual([true, 'No errors']);
    }
  });

  it('is what the answers of a gateway in tests are held against', async () => {
    const before = checkedAnswers();
    await fetch(`${rest.url}/v1/records/nothing`);
    expect(checkedAnswers()).toBe(before + 1);
  });
});
