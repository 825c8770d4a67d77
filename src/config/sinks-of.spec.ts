import { definePipeline } from '../pipeline/definition.js';
import {
  callbackSink,
  kafkaSink,
  postgresSink,
  type SinkDefinition,
} from '../pipeline/sink-definition.js';
import { checkDefinition } from './definition-rules.js';
import { ConfigurationError, loadOptions } from './load-options.js';
import { sinksOf } from './sinks-of.js';

type Environment = Readonly<Record<string, string>>;

const KAFKA = { KAFKA_BROKERS: 'a:1', KAFKA_OUTPUT_TOPIC: 'ours' };
const SECRET = `whsec_${Buffer.alloc(24, 'k').toString('base64')}`;
const CALLBACK = { CALLBACK_URL: 'https://ours.example/hook?key=1', CALLBACK_SECRET: SECRET };
const COMMON = { map: undefined, isRequired: true };

const load = (environment: Environment) => loadOptions({ environment, folder: '/nowhere' }).options;
const define = (sinks: readonly SinkDefinition[]) => definePipeline({ name: 'p', sinks });

function chosen(environment: Environment, ...sinks: readonly SinkDefinition[]) {
  const definition = sinks.length === 0 ? definePipeline({ name: 'p' }) : define(sinks);
  return sinksOf(definition, load(environment));
}

function mistakes(run: () => unknown): readonly string[] {
  try {
    run();
    return [];
  } catch (error) {
    if (error instanceof ConfigurationError) return error.mistakes;
    throw error;
  }
}

const settingMistakes = (environment: Environment) => mistakes(() => load(environment));
const definitionMistakes = (environment: Environment, ...sinks: readonly SinkDefinition[]) =>
  mistakes(() => checkDefinition(load(environment), define(sinks)));

describe('The sinks', () => {
  it('are a table: the definition’s, else SINK_TABLE, else `delivered`', () => {
    const table = (name: string) => [
      { ...COMMON, kind: 'postgres', name: 'postgres', table: name },
    ];
    expect(chosen({ SINK_TABLE: 'ours' }, postgresSink({ table: 'orders' }))).toEqual(
      table('orders'),
    );
    expect(chosen({ SINK_TABLE: 'sales.ours' }, postgresSink())).toEqual(table('sales.ours'));
    expect(chosen({})).toEqual(table('delivered'));
  });

  it('are a topic with kafkaSink: the definition’s, else KAFKA_OUTPUT_TOPIC', () => {
    const topic = (name: string) => [{ ...COMMON, kind: 'kafka', name: 'kafka', topic: name }];
    expect(chosen(KAFKA, kafkaSink({ topic: 'orders' }))).toEqual(topic('orders'));
    expect(chosen(KAFKA, kafkaSink())).toEqual(topic('ours'));
  });

  it('are a URL with callbackSink: the definition’s, else CALLBACK_URL; so is the secret, else CALLBACK_SECRET', () => {
    const own = { url: 'http://own.example/', secret: `${SECRET} ${SECRET}` };
    expect(chosen(CALLBACK, callbackSink(own))).toMatchObject([{ name: 'callback', ...own }]);
    expect(chosen(CALLBACK, callbackSink())).toMatchObject([
      { url: CALLBACK.CALLBACK_URL, secret: SECRET },
    ]);
  });

  it('are all that SINKS lists: it wins over the definition', () => {
    const sinks = chosen(
      { ...KAFKA, ...CALLBACK, SINKS: 'postgres, kafka,callback' },
      postgresSink({ table: 'orders', map: () => 1 }),
    );
    expect(sinks).toMatchObject([
      { ...COMMON, kind: 'postgres', table: 'delivered' },
      { ...COMMON, kind: 'kafka', topic: 'ours' },
      { ...COMMON, kind: 'callback', url: CALLBACK.CALLBACK_URL },
    ]);
    expect(chosen({ SINKS: 'postgres' }, kafkaSink())).toMatchObject([{ kind: 'postgres' }]);
  });

  it('keep the plain name of their kind while they are alone in it, else it is followed by the target', () => {
    const sinks = [
      postgresSink(),
      kafkaSink({ topic: 'a' }),
      kafkaSink(),
      callbackSink({ url: 'https://b.example:8443/hook?secret=1' }),
      callbackSink({ url: 'https://c.example/', name: 'billing' }),
    ];
    expect(chosen({ ...KAFKA, ...CALLBACK }, ...sinks).map(({ name }) => name)).toEqual([
      'postgres',
      'kafka:a',
      'kafka:ours',
      'callback:b.example:8443/hook',
      'billing',
    ]);
  });

  it('are refused when the settings lack what they need', () => {
    expect(settingMistakes({ SINKS: 'postgres,kafka,callback' })).toEqual([
      'KAFKA_BROKERS must be set for SINKS=postgres,kafka,callback.',
      'KAFKA_OUTPUT_TOPIC must be set for SINKS=postgres,kafka,callback.',
      'CALLBACK_URL must be set for SINKS=postgres,kafka,callback.',
      'CALLBACK_SECRET must be set for SINKS=postgres,kafka,callback.',
    ]);
    expect(definitionMistakes({}, callbackSink({ url: 'https://a.example' }))).toEqual([
      'CALLBACK_SECRET must be set for callbackSink() of the pipeline p.',
    ]);
    expect(definitionMistakes({ SINKS: 'postgres' }, callbackSink())).toEqual([]);
  });

  it.each([
    ['SINKS', 'ftp', 'must be a comma list of postgres, kafka and callback (got "ftp").'],
    [
      'SINKS',
      'kafka,kafka',
      'must be a comma list of postgres, kafka and callback (got "kafka,kafka").',
    ],
    ['CALLBACK_URL', 'ours', 'must be an http or https URL without a user (got "ours").'],
    [
      'CALLBACK_SECRET',
      'whsec_short',
      'must be one or two secrets of the form whsec_… (base64 of 24 to 64 bytes), separated by a comma (got a value not shown).',
    ],
  ])('are refused with %s=%s', (name, value, sentence) => {
    expect(settingMistakes({ [name]: value })).toEqual([`${name} ${sentence}`]);
  });

  it('show CALLBACK_SECRET to nobody', () => {
    const { settings } = loadOptions({ environment: CALLBACK, folder: '/nowhere' });
    const shown = settings.find(({ name }) => name === 'CALLBACK_SECRET')?.shown;
    expect(shown).toBe('(set, not shown)');
  });

  it('are refused when two have one name, or one table', () => {
    const twice = [kafkaSink({ topic: 'a' }), kafkaSink({ topic: 'a' })];
    expect(definitionMistakes(KAFKA, ...twice)).toEqual([
      'Two sinks of the pipeline p are named kafka:a: give one of them another name.',
    ]);
    expect(
      definitionMistakes({}, postgresSink({ name: 'a' }), postgresSink({ name: 'b' })),
    ).toEqual([
      'Two sinks of the pipeline p deliver to table delivered: it has one row of a record.',
    ]);
  });
});
