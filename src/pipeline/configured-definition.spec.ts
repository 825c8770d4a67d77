import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnyPipelineDefinition } from './definition.js';
import { configuredDefinition } from './configured-definition.js';
import { chooseDefinition, type DefinitionSettings } from './load-definition.js';

describe('chooseDefinition', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'penstock-definition-'));
    writeFileSync(join(folder, 'schema.json'), '{"type":"object","required":["id"]}');
    writeFileSync(join(folder, 'wrong.json'), '{"type":"strin"}');
    writeFileSync(join(folder, 'list.json'), '7');
    writeFileSync(join(folder, 'text.json'), 'no JSON');
  });

  afterAll(() => rmSync(folder, { recursive: true }));

  const choose = (settings: DefinitionSettings): Promise<AnyPipelineDefinition> =>
    chooseDefinition(settings, { build: folder, working: folder });
  const keyOf = (pointer: string, payload: unknown): unknown =>
    configuredDefinition({ key: pointer }, folder).key?.(payload as never);

  it('builds a pipeline from a JSON Schema and a pointer alone', async () => {
    const definition = await choose({
      pipelineSchemaFile: 'schema.json',
      pipelineKey: '/customer/id',
    });
    const { schema, key, name } = definition;
    expect(name).toBe('configured');
    expect(schema?.['~standard'].validate({})).toMatchObject({ issues: [{ path: ['id'] }] });
    expect(key?.({ customer: { id: 7 } } as never)).toBe(7);
  });

  it('takes EGRESS_URL alone for a pipeline of any JSON', async () => {
    const definition = await choose({ egressUrl: 'http://127.0.0.1/enrich' });
    expect(definition).toEqual({ name: 'configured' });
  });

  it('refuses a pipeline by code and by configuration at once, naming the settings', async () => {
    await expect(
      choose({ pipelineModule: 'a.js', pipelineKey: '/id', egressUrl: 'http://127.0.0.1' }),
    ).rejects.toThrow(
      'PIPELINE_MODULE must name a pipeline definition (got "a.js": not together with PIPELINE_KEY and EGRESS_URL, which describe a pipeline without code).',
    );
  });

  it('runs the example when nothing is set, from the build', async () => {
    await expect(choose({})).rejects.toThrow(
      `there is no file ${join(folder, 'pipelines', 'orders.pipeline.js')}`,
    );
  });

  it.each([
    ['missing.json', 'ENOENT'],
    ['text.json', 'is not valid JSON'],
    ['list.json', 'it holds no object'],
    ['wrong.json', 'schema is invalid'],
  ])('says what is wrong with %s', async (pipelineSchemaFile, reason) => {
    await expect(choose({ pipelineSchemaFile })).rejects.toThrow(
      new RegExp(`PIPELINE_SCHEMA_FILE must name a JSON Schema \\(got .*${reason}`),
    );
  });

  it.each(['customer', '', '/a~2', 'a/b'])('refuses %p as PIPELINE_KEY', async (pipelineKey) => {
    await expect(choose({ pipelineKey })).rejects.toThrow(
      'PIPELINE_KEY must be a JSON pointer such as /customer/id',
    );
  });

  it('reads a key by its pointer, own fields only', () => {
    expect(keyOf('/a~1b/~0c', { 'a/b': { '~c': 'k' } })).toBe('k');
    expect(keyOf('/items/0', { items: ['first'] })).toBe('first');
    expect(keyOf('/a/b', { a: null })).toBeUndefined();
    expect(keyOf('/constructor', {})).toBeUndefined();
    expect(keyOf('/a', 'text')).toBeUndefined();
    expect(keyOf('/a', { a: null })).toBeUndefined();
  });
});
