import { definePipeline, Discarded, type PipelineDefinition } from './definition.js';
import { callbackSink, kafkaSink, postgresSink, type SinkDefinition } from './sink-definition.js';

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
    [{ sinks: [] }, 'sinks must be a list of one to 16 sinks (got 0)'],
    [
      { sinks: Array.from({ length: 17 }, () => postgresSink()) },
      'sinks must be a list of one to 16 sinks (got 17)',
    ],
    [{ sinks: 'postgres' }, 'sinks must be a list of one to 16 sinks (got string)'],
    [
      { sinks: [kafkaSink({ required: false })] },
      'sinks must be a list with a sink that is required (got object)',
    ],
    [
      { sinks: [postgresSink(), { kind: 'postgres', required: false }] },
      'sinks[1] must be a sink, such as postgresSink() (got object)',
    ],
    [
      { sinks: [{ kind: 'kafka', tpoic: 'a' }] },
      'sinks[0] must be a sink, such as postgresSink() (got object)',
    ],
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
    const sinks: SinkDefinition[] = [postgresSink({ table: 'sales.orders' })];
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

describe('callbackSink', () => {
  const secret = `whsec_${Buffer.alloc(24, 'k').toString('base64')}`;

  it('takes a URL and one secret or two, or leaves them to the settings', () => {
    for (const options of [{}, { url: 'https://a.example/hook', secret: `${secret},${secret}` }]) {
      expect(callbackSink(options)).toEqual({ kind: 'callback', ...options });
    }
  });

  it.each(['ftp://a', 'a.example', 'https://user:word@a.example/', 'https://a b'])(
    'refuses %p as a URL',
    (url) => {
      expect(() => callbackSink({ url })).toThrow('callbackSink: url must be an http or https URL');
    },
  );

  it.each(['', 'secret', 'whsec_c2hvcnQ=', `${secret},${secret},${secret}`, `${secret}=`])(
    'refuses the secret %p, and does not show it',
    (given) => {
      expect(() => callbackSink({ secret: given })).toThrow(
        'callbackSink: secret must be one or two secrets of the form whsec_… (base64) (got a value not shown)',
      );
    },
  );
});

describe('the options of every sink', () => {
  it('are a name, a map whose argument is typed, and whether it is required', () => {
    const map = (order: { readonly total: number }) => ({ total: order.total });
    const sinks: SinkDefinition[] = [
      postgresSink({ map }),
      kafkaSink({ topic: 'totals', name: 'totals', map, required: false }),
    ];
    expect(define({ sinks }).sinks).toEqual(sinks);
    // @ts-expect-error a sink for another payload than the one it is given
    const wrong: SinkDefinition<string> = kafkaSink({ map });
    expect(wrong.map).toBe(map);
  });

  it.each([
    [
      { name: 'a b' },
      'name must be at most 100 letters, digits and . _ : / -, not egress (got "a b")',
    ],
    [
      { name: 'egress' },
      'name must be at most 100 letters, digits and . _ : / -, not egress (got "egress")',
    ],
    [{ map: 1 }, 'map must be a function (got 1)'],
    [{ required: 'no' }, 'required must be true or false (got "no")'],
    [{ maps: 1 }, 'maps is none of its options (name, map, required, topic)'],
  ])('are refused: %j', (options, sentence) => {
    expect(() => kafkaSink(options as never)).toThrow(new TypeError(`kafkaSink: ${sentence}`));
  });

  it('can’t make a Postgres sink optional: the transaction of the books writes it', () => {
    expect(() => postgresSink({ required: false } as never)).toThrow(
      'postgresSink: required must be true, or absent (got false)',
    );
  });
});

describe('Discarded', () => {
  it('carries its reason', () => {
    expect(new Discarded('test order').reason).toBe('test order');
  });
});
