import { z } from 'zod';
import pricedOrders, { enrich, isValid, price } from '../../pipelines/priced-orders.pipeline.js';
import { StageHarness } from '../../test/support/stage-harness.js';
import { type AnyPipelineDefinition, definePipeline, Discarded } from './definition.js';
import { from } from './from.js';
import { kafkaSink, postgresSink } from './sink-definition.js';
import { kafka, rest } from './source-definition.js';

interface Reading {
  readonly sensor: string;
  readonly celsius: number;
}

const discard = (reason: string): Discarded => new Discarded(reason);
const Sensor = z.object({ sensor: z.string(), celsius: z.number() });

/** What `preprocess` makes of a payload. */
function processed(definition: AnyPipelineDefinition, payload: unknown, key?: string): unknown {
  return definition.preprocess?.(payload as never, { discard, key, headers: {} });
}

/** As JavaScript without types would write it. */
type Loose = Record<string, (...args: unknown[]) => Loose>;
const loosely = (): Loose => from(rest()) as unknown as Loose;
const f = (): number => 1;

describe('from', () => {
  it('builds what definePipeline builds of the same parts (F1)', () => {
    const key = ({ sensor }: Reading): string => sensor;
    const preprocess = (reading: Reading): Reading => reading;
    const egress = (reading: Reading): Promise<Reading> => Promise.resolve(reading);
    const sinks = [postgresSink()] as const;
    const limits = { timeoutMs: 10_000, capacity: 100 };
    const chain = from(kafka('readings', 'late-readings'), rest())
      .validate(Sensor)
      .keyBy(key)
      .map(preprocess)
      .mapAsync(egress, limits)
      .sinkTo(...sinks)
      .named('sensors');
    const defined = definePipeline<Reading>({
      name: 'sensors',
      sources: [kafka('readings', 'late-readings'), rest()],
      schema: Sensor,
      key,
      preprocess,
      egress,
      egressLimits: limits,
      sinks,
    });
    expect({ ...chain }).toEqual(defined);
    expect(Object.isFrozen(chain)).toBe(true);
    expect(definePipeline(chain as Parameters<typeof definePipeline>[0])).toEqual(defined);
  });

  it('is named after its first topic, or rest', () => {
    expect(from(rest(), kafka('orders', 'returns')).name).toBe('orders');
    expect(from(rest()).name).toBe('rest');
    expect(() => from(rest()).named('')).toThrow('name must be a non-empty string');
  });

  it('has no preprocess, key or egress of its own: a chain may end after its sources', () => {
    expect({ ...from(kafka('orders')) }).toEqual({
      name: 'orders',
      sources: [{ kind: 'kafka', topics: ['orders'] }],
    });
  });

  it('runs maps and filters in the order in which they stand (FF1)', () => {
    const chain = from<number>(rest())
      .map((n) => n + 1)
      .filter(function isEven(n) {
        return n % 2 === 0;
      })
      .map((n) => `${n * 10}`)
      .filter((text) => text !== '40', 'no forty')
      .map((text, { discard: end }) => (text === '60' ? end('no sixty') : { text }));
    expect(processed(chain, 1)).toEqual({ text: '20' });
    expect(processed(chain, 2)).toEqual(new Discarded('filtered by isEven'));
    expect(processed(chain, 3)).toEqual(new Discarded('no forty'));
    expect(processed(chain, 5)).toEqual(new Discarded('no sixty'));
  });

  it('gives the reason `filtered` to what a filter without a name or reason discards', () => {
    expect(
      processed(
        from(rest()).filter(() => false),
        1,
      ),
    ).toEqual(new Discarded('filtered'));
  });

  it('passes the payload of a chain without map on as the same object, so that its bytes stay', () => {
    const payload = { sensor: 'a' };
    expect(
      processed(
        from(rest()).filter(() => true),
        payload,
      ),
    ).toBe(payload);
  });

  it('keeps a chain that is continued twice as it was (F2)', () => {
    const start = from<number>(rest()).map((n) => n + 1);
    const [double, sink] = [start.map((n) => n * 2), start.sinkTo(postgresSink())];
    expect([processed(start, 1), processed(double, 1), processed(sink, 1)]).toEqual([2, 4, 2]);
    expect(start.sinks).toBeUndefined();
    const second = sink.sinkTo(kafkaSink({ topic: 'slim', map: (n) => n + 0.5 }));
    expect([sink, second].map(({ sinks }) => sinks?.length)).toEqual([1, 2]);
  });

  it.each<[string, (chain: Loose) => Loose, string]>([
    ['map after mapAsync', (c) => c['mapAsync']!(f)['map']!(f), 'map must stand before mapAsync'],
    [
      'filter after mapAsync',
      (c) => c['mapAsync']!(f)['filter']!(f),
      'filter must stand before mapAsync',
    ],
    ['keyBy after mapAsync', (c) => c['mapAsync']!(f)['keyBy']!(f), 'keyBy must stand before'],
    ['keyBy after map', (c) => c['map']!(f)['keyBy']!(f), 'keyBy must stand before map'],
    ['a second keyBy', (c) => c['keyBy']!(f)['keyBy']!(f), 'keyBy may stand once'],
    ['a second mapAsync', (c) => c['mapAsync']!(f)['mapAsync']!(f), 'mapAsync may stand once'],
    ['validate after filter', (c) => c['filter']!(f)['validate']!(Sensor), 'before filter'],
    ['validate after keyBy', (c) => c['keyBy']!(f)['validate']!(Sensor), 'before keyBy'],
    ['map after sinkTo', (c) => c['sinkTo']!(postgresSink())['map']!(f), 'before sinkTo'],
    ['map without a function', (c) => c['map']!('price'), 'map must be given a function'],
    ['keyBy without a function', (c) => c['keyBy']!('id'), 'keyBy must be given a function'],
    ['filter with an empty reason', (c) => c['filter']!(f, ''), 'reason must be a non-empty text'],
    ['validate without a schema', (c) => c['validate']!({}), 'schema must be a Standard Schema'],
    ['a capacity of 0', (c) => c['mapAsync']!(f, { capacity: 0 }), 'egressLimits.capacity must be'],
    [
      'a misspelt limit',
      (c) => c['mapAsync']!(f, { timeout: 5 }),
      'egressLimits.timeout must be one of timeoutMs, capacity',
    ],
  ])('refuses %s at load (F3)', (_, build, sentence) => {
    expect(() => build(loosely())).toThrow(TypeError);
    expect(() => build(loosely())).toThrow(sentence);
  });

  it('is checked by the compiler: payloads flow through the chain, steps have their order', () => {
    const keyed = from(kafka('readings'))
      .validate(Sensor)
      .keyBy(({ sensor }) => sensor);
    const called = keyed
      .map(({ celsius }) => ({ kelvin: celsius + 273.15 }))
      .mapAsync(({ kelvin }) => Promise.resolve(kelvin > 0 ? { kelvin, isHot: true } : undefined));
    const delivered = called.sinkTo(
      kafkaSink({ topic: 'readings' }),
      kafkaSink({ topic: 'heat', map: ({ kelvin }) => kelvin.toFixed() }),
    );
    expect(delivered.sinks).toHaveLength(2);
    const loose = from(rest());
    const numbers = from<number>(rest());
    const open = loose.filter(() => true);
    const mapped = keyed.map((reading) => reading);
    const broken = [
      // @ts-expect-error a reading has no humidity
      () => keyed.map(({ humidity }) => humidity),
      // @ts-expect-error after map the payload is what it returned
      () => keyed.map(() => 7).filter(({ celsius }) => celsius > 0),
      // @ts-expect-error what is unknown has no fields before it is validated
      () => loose.keyBy((reading) => reading.sensor),
      // @ts-expect-error a key is a text or a number
      () => numbers.keyBy((n) => ({ n })),
      // @ts-expect-error map does not follow mapAsync
      () => called.map((reading) => reading),
      // @ts-expect-error keyBy does not follow map
      () => mapped.keyBy(({ sensor }: Reading) => sensor),
      // @ts-expect-error validate comes first
      () => open.validate(Sensor),
      // @ts-expect-error the payload of the sink's map is what mapAsync returned
      () => called.sinkTo(kafkaSink({ topic: 'heat', map: ({ celsius }) => celsius })),
      // @ts-expect-error a chain has a source
      () => from(),
    ];
    expect(broken).toHaveLength(9);
    const narrowed = from(rest())
      .filter(isValid)
      .keyBy(({ customerId }) => customerId);
    expect(narrowed.key?.({ customerId: 'c-1' } as never)).toBe('c-1');
  });
});

describe('A key behind a filter', () => {
  const definition = from(rest())
    .filter(isValid)
    .keyBy(({ customerId }) => customerId.toLowerCase());
  const order = { customerId: 'C-1', items: [{ quantity: 1, unitPrice: 2 }] };

  it('is asked for only of what the filter lets through (FF2)', async () => {
    const harness = await new StageHarness({ definition }).start();
    const records = await harness.accept([null, 'text', { items: [] }, order]);
    expect(records.map(({ verdict }) => verdict)).toEqual([
      { kind: 'discarded', reason: 'filtered by isValid' },
      { kind: 'discarded', reason: 'filtered by isValid' },
      { kind: 'discarded', reason: 'filtered by isValid' },
      { kind: 'accepted' },
    ]);
    expect(records.map(({ key }) => key)).toEqual([undefined, undefined, undefined, 'c-1']);
    await harness.advance();
    expect(harness.leftovers()).toEqual({});
  });

  it('that throws on what the filter lets through is an error of the pipeline', async () => {
    const key = (): string => {
      throw new Error('no such customer');
    };
    const chain = from(rest()).filter(isValid).keyBy(key);
    const harness = await new StageHarness({ definition: chain }).start();
    const [record] = await harness.accept([order]);
    expect(record?.verdict).toMatchObject({ kind: 'refused', error: { step: 'key' } });
  });

  it('is never lost: a default of the schema that gives one late is an error of the pipeline (FF3)', async () => {
    const schema = z.object({ shop: z.string().default('main') });
    const chain = from(rest())
      .validate(schema)
      .filter(({ shop }) => shop !== undefined)
      .keyBy(({ shop }) => shop.toLowerCase());
    const harness = await new StageHarness({ definition: chain }).start();
    const [late, early] = await harness.accept([{}, { shop: 'Main' }]);
    expect(late?.verdict).toMatchObject({
      kind: 'refused',
      error: { message: expect.stringContaining('must not depend on what the schema fills in') },
    });
    expect(early).toMatchObject({ key: 'main', verdict: { kind: 'accepted' } });
  });

  it('is told when the filter gives a promise, which would let everything through', async () => {
    const chain = from(rest()).filter((() => Promise.resolve(false)) as unknown as () => boolean);
    const harness = await new StageHarness({ definition: chain }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toMatchObject({
      kind: 'refused',
      error: { message: expect.stringContaining('a filter that gave a promise') },
    });
  });

  it('and a map that gives a promise is told as any preprocess that does', async () => {
    const chain = from(rest())
      .map(() => Promise.resolve(1))
      .map((n) => ({ n }));
    const harness = await new StageHarness({ definition: chain }).start();
    const [record] = await harness.accept([1]);
    expect(record?.verdict).toMatchObject({
      kind: 'refused',
      error: { message: expect.stringContaining('must be synchronous') },
    });
  });
});

describe('The example of the fluent form', () => {
  it('is what its parts say', () => {
    expect({ ...pricedOrders }).toEqual({
      name: 'orders',
      sources: [kafka('orders'), rest()],
      key: expect.any(Function),
      preprocess: expect.any(Function),
      egress: enrich,
      egressLimits: { timeoutMs: 10_000, capacity: 100 },
      sinks: [kafkaSink({ topic: 'orders-out' })],
    });
  });

  it('prices in cents', () => {
    const items = [{ quantity: 3, unitPrice: 0.1 }];
    expect(price({ customerId: 'c', items }).total).toBe(0.3);
  });
});
