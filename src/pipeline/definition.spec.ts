import { definePipeline, Discarded, type PipelineDefinition } from './definition.js';
import { kafkaSink, postgresSink, type SinkDefinition } from './sink-definition.js';

const define = (fields: Record<string, unknown>): PipelineDefinition =>
  definePipeline({ name: 'test', ...fields } as unknown as PipelineDefinition);

describe('definePipeline', () => {
  it('gives the definition back frozen, and leaves the caller’s object alone', () => {
    const given = { name: 'orders', key: () => 'a' };
    const defined = definePipeline(given);
    expect(defined).toEqual(given);
    expect(Object.isFrozen(defined)).toBe(true);
    expect(Object.isFrozen(given)).toBe(false);
  });

  it.each([
    [{ name: '' }, 'name must be a non-empty string (got string)'],
    [{ name: 7 }, 'name must be a non-empty string (got 7)'],
    [{ key: 'customerId' }, 'key must be a function (got string)'],
    [{ preprocess: 1 }, 'preprocess must be a function (got 1)'],
    [{ egress: {} }, 'egress must be a function (got object)'],
    [{ schema: { type: 'object' } }, 'schema must be a Standard Schema (got object)'],
    [{ schema: null }, 'schema must be a Standard Schema (got null)'],
    [{ sinks: [] }, 'sinks must be a list of exactly one sink (got 0)'],
    [
      { sinks: [postgresSink(), postgresSink()] },
      'sinks must be a list of exactly one sink (got 2)',
    ],
    [{ sinks: 'postgres' }, 'sinks must be a list of exactly one sink (got string)'],
    [{ sinks: [{ kind: 'ftp' }] }, 'sinks[0] must be a sink, such as postgresSink() (got object)'],
    [
      { sinks: [{ kind: 'kafka', topic: 'a b' }] },
      'sinks[0] must be a sink, such as postgresSink() (got object)',
    ],
    [{ sinks: ['postgres'] }, 'sinks[0] must be a sink, such as postgresSink() (got string)'],
  ])('names field, rule and value of %j', (fields, sentence) => {
    expect(() => define(fields)).toThrow(new TypeError(`definePipeline: ${sentence}`));
  });

  it('refuses a field that it does not know: it is a misspelling', () => {
    expect(() => define({ preProcess: () => 1 })).toThrow('preProcess is no field of a definition');
  });

  it.each([null, 'orders'])('refuses what is no object: %p', (given) => {
    expect(() => definePipeline(given as unknown as PipelineDefinition)).toThrow(
      'the definition must be an object',
    );
  });

  it('takes a sink with a table, plain or with its schema', () => {
    const sinks: [SinkDefinition] = [postgresSink({ table: 'sales.orders' })];
    expect(define({ sinks }).sinks?.[0]).toEqual({ kind: 'postgres', table: 'sales.orders' });
  });
});

describe('postgresSink', () => {
  it.each(['orders; DROP TABLE journal', 'a.b.c', '', 'naïve', '1st'])(
    'refuses %p as a table name',
    (table) => {
      expect(() => postgresSink({ table })).toThrow(
        'table must be a plain or schema-qualified table name',
      );
    },
  );
});

describe('kafkaSink', () => {
  it.each(['orders out', '', '.', '..', 'naïve', 'a:b', 'x'.repeat(250)])(
    'refuses %p as the name of a topic',
    (topic) => {
      expect(() => kafkaSink({ topic })).toThrow('kafkaSink: topic must be a topic name');
    },
  );

  it('takes a topic, or leaves it to KAFKA_OUTPUT_TOPIC', () => {
    for (const sink of [kafkaSink({ topic: 'orders-out' }), kafkaSink()]) {
      expect(define({ sinks: [sink] }).sinks).toEqual([sink]);
    }
  });
});

describe('Discarded', () => {
  it('carries its reason', () => {
    expect(new Discarded('test order').reason).toBe('test order');
  });
});
