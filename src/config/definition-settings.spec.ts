import { definePipeline, type PipelineDefinition } from '../pipeline/definition.js';
import { kafka, rest } from '../pipeline/source-definition.js';
import { settingsWith, withDefinition } from './definition-settings.js';
import { type ConfigurationError, type Environment, loadOptions } from './load-options.js';

const define = (fields: Partial<PipelineDefinition>): PipelineDefinition =>
  definePipeline({ name: 'orders', ...fields });

const load = (environment: Environment = {}) => loadOptions({ environment, folder: '/nowhere' });

function mistakes(environment: Environment, definition: PipelineDefinition): readonly string[] {
  try {
    withDefinition(load(environment).options, definition);
  } catch (error) {
    return (error as ConfigurationError).mistakes;
  }
  return [];
}

const BROKERS = { KAFKA_BROKERS: 'localhost:9092' };
const topics = define({ sources: [kafka('orders', 'returns'), rest()] });
const limits = define({ egress: () => 1, egressLimits: { timeoutMs: 10_000, capacity: 100 } });

describe('A definition in place of settings', () => {
  it('changes nothing when it says nothing', () => {
    const { options } = load();
    expect(withDefinition(options, define({}))).toBe(options);
  });

  it('names the topics, unless KAFKA_INPUT_TOPICS does (D1)', () => {
    const inputTopics = (environment: Environment) =>
      withDefinition(load({ ...BROKERS, ...environment }).options, topics).kafka.inputTopics;
    expect(inputTopics({})).toEqual(['orders', 'returns']);
    expect(inputTopics({ KAFKA_INPUT_TOPICS: 'orders-eu' })).toEqual(['orders-eu']);
  });

  it('refuses KAFKA_INPUT_TOPICS for a pipeline whose sources are without Kafka (D1)', () => {
    const environment = { ...BROKERS, KAFKA_INPUT_TOPICS: 'orders' };
    expect(mistakes(environment, define({ sources: [rest()] }))).toEqual([
      'KAFKA_INPUT_TOPICS must not be set for the pipeline orders, which has no kafka() among its sources (got "orders").',
    ]);
  });

  it('wins over EGRESS_OPERATION_TIMEOUT_MS and EGRESS_MAX_CONCURRENT_OPERATIONS (D2)', () => {
    const environment = {
      EGRESS_OPERATION_TIMEOUT_MS: '1',
      EGRESS_MAX_CONCURRENT_OPERATIONS: '1',
    };
    const { egress } = withDefinition(load(environment).options, limits);
    expect(egress).toMatchObject({ operationTimeoutMs: 10_000, maxConcurrentOperations: 100 });
    const one = define({ egress: () => 1, egressLimits: { capacity: 7 } });
    expect(withDefinition(load(environment).options, one).egress).toMatchObject({
      operationTimeoutMs: 1,
      maxConcurrentOperations: 7,
    });
  });

  it('is held to the rules over several settings (D3)', () => {
    const wide = define({ egress: () => 1, egressLimits: { capacity: 1501 } });
    expect(mistakes({}, wide)).toEqual([
      'With EGRESS_MAX_CONCURRENT_OPERATIONS of the pipeline orders: EGRESS_BUFFER_SIZE must be at least twice EGRESS_MAX_CONCURRENT_OPERATIONS (got 3000 and 1501).',
    ]);
    expect(mistakes({}, topics)[0]).toMatch(
      /^With KAFKA_INPUT_TOPICS of the pipeline orders: KAFKA_BROKERS must be set/,
    );
  });

  it('shows in the listing of the settings, with its source', () => {
    const { options, settings } = load({ ...BROKERS, EGRESS_OPERATION_TIMEOUT_MS: '1' });
    const definition = define({ ...limits, ...topics });
    const shown = settingsWith(settings, options, definition).filter(
      ({ source }) => source === 'pipeline',
    );
    expect(shown).toEqual([
      { name: 'KAFKA_INPUT_TOPICS', shown: '["orders","returns"]', source: 'pipeline' },
      { name: 'EGRESS_OPERATION_TIMEOUT_MS', shown: '10000', source: 'pipeline' },
      { name: 'EGRESS_MAX_CONCURRENT_OPERATIONS', shown: '100', source: 'pipeline' },
    ]);
  });
});
