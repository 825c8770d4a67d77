import { definePipeline } from '../pipeline/definition.js';
import { kafkaSink, postgresSink } from '../pipeline/sink-definition.js';
import { checkDefinition } from './definition-rules.js';
import { isExactlyOnce } from './exactly-once.js';
import { ConfigurationError, type Environment, loadOptions } from './load-options.js';

const EXACTLY_ONCE = {
  KAFKA_BROKERS: 'one:9092',
  KAFKA_INPUT_TOPICS: 'in',
  KAFKA_OUTPUT_TOPIC: 'out',
  KAFKA_DELIVERY_GUARANTEE: 'exactly-once',
};

type Sinks = Parameters<typeof definePipeline>[0]['sinks'];

function mistakes(environment: Environment, sinks?: Sinks): readonly string[] {
  const { options } = loadOptions({
    environment: { ...EXACTLY_ONCE, ...environment },
    folder: '/nowhere',
  });
  try {
    checkDefinition(options, definePipeline({ name: 'test', ...(sinks && { sinks }) }));
  } catch (error) {
    if (error instanceof ConfigurationError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('KAFKA_DELIVERY_GUARANTEE=exactly-once', () => {
  it('is off by default', () => {
    const { options } = loadOptions({ environment: {}, folder: '/nowhere' });
    expect(isExactlyOnce(options)).toBe(false);
    expect(options.kafka.transactionTimeoutMs).toBe(900_000);
  });

  it('starts with Kafka as the source and as the only sink, of the settings or the pipeline', () => {
    expect(mistakes({ SINKS: 'kafka' })).toEqual([]);
    expect(mistakes({}, [kafkaSink()])).toEqual([]);
    expect(mistakes({ SINKS: 'kafka' }, [postgresSink()])).toEqual([]);
  });

  it('refuses any other sink, and says which ones there are', () => {
    const rule =
      'KAFKA_DELIVERY_GUARANTEE=exactly-once needs one single sink, which is Kafka: SINKS=kafka, or kafkaSink() in the pipeline (got postgres).';
    expect(mistakes({})).toEqual([rule]);
    expect(mistakes({ SINKS: 'postgres' })).toEqual([rule]);
    expect(mistakes({}, [postgresSink()])).toEqual([rule]);
  });

  it('refuses to start without a Kafka source, and at most once', () => {
    const without = { SINKS: 'kafka', FINAL_SINK_REQUIRE_ACKNOWLEDGMENT: 'false' };
    const { KAFKA_INPUT_TOPICS: _topics, ...rest } = EXACTLY_ONCE;
    const { options } = loadOptions({ environment: { ...rest, ...without }, folder: '/nowhere' });
    expect(() => checkDefinition(options, definePipeline({ name: 'test' }))).toThrow(
      /KAFKA_INPUT_TOPICS must be set.*\n.*FINAL_SINK_REQUIRE_ACKNOWLEDGMENT must be true/,
    );
  });
});
