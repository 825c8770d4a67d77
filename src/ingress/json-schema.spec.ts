import { jsonSchema } from './json-schema.js';
import { validate } from './validation.js';

const order = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: { id: { type: 'string' }, lines: { prefixItems: [{ type: 'number' }] } },
  required: ['id'],
};

describe('jsonSchema', () => {
  it('takes what fits, unchanged', () => {
    const payload = { id: 'a', lines: [1, 'anything'] };
    expect(validate(jsonSchema(order), payload)).toEqual({ value: payload });
  });

  it('names each mistake by its JSON pointer, a missing field by its own', () => {
    expect(validate(jsonSchema(order), { lines: ['x'] })).toEqual({
      issues: [
        { path: '/id', message: "must have required property 'id'" },
        { path: '/lines/0', message: 'must be number' },
      ],
    });
  });

  it('keeps escaped characters of a pointer', () => {
    const schema = jsonSchema({ properties: { 'a/b~c': { type: 'string' } } });
    expect(validate(schema, { 'a/b~c': 1 })).toMatchObject({ issues: [{ path: '/a~1b~0c' }] });
  });

  it('tells at most twenty mistakes', () => {
    const payload = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, 1]));
    const result = validate(jsonSchema({ additionalProperties: { type: 'string' } }), payload);
    expect(result.issues).toHaveLength(20);
  });

  it('refuses a schema that is wrong in itself', () => {
    expect(() => jsonSchema({ type: 'strin' })).toThrow('schema is invalid');
    expect(() => jsonSchema({ $async: true, type: 'object' })).toThrow('$async is not supported');
  });
});
