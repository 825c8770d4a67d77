import { loadOptions } from '../config/load-options.js';
import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import { kafkaSink, postgresSink, type SinkDefinition } from '../pipeline/sink-definition.js';
import { sinkOf } from './final-sink.module.js';

function chosen(environment: Record<string, string>, sink?: SinkDefinition) {
  const { options } = loadOptions({ environment, folder: '/nowhere' });
  const definition: AnyPipelineDefinition = { name: 'test', ...(sink && { sinks: [sink] }) };
  return sinkOf(definition, options);
}

describe('The sink', () => {
  it('is a table: the definition’s, else SINK_TABLE, else `delivered`', () => {
    const table = (name: string) => ({ kind: 'postgres', table: name });
    expect(chosen({ SINK_TABLE: 'ours' }, postgresSink({ table: 'orders' }))).toEqual(
      table('orders'),
    );
    expect(chosen({ SINK_TABLE: 'sales.ours' }, postgresSink())).toEqual(table('sales.ours'));
    expect(chosen({})).toEqual(table('delivered'));
  });

  it('is a topic with kafkaSink: the definition’s, else KAFKA_OUTPUT_TOPIC', () => {
    const environment = { KAFKA_OUTPUT_TOPIC: 'ours' };
    expect(chosen(environment, kafkaSink({ topic: 'orders' }))).toEqual({
      kind: 'kafka',
      topic: 'orders',
    });
    expect(chosen(environment, kafkaSink())).toEqual({ kind: 'kafka', topic: 'ours' });
  });

  it('is what SINKS says: it wins over the definition', () => {
    const kafka = { SINKS: 'kafka', KAFKA_BROKERS: 'a:1', KAFKA_OUTPUT_TOPIC: 'ours' };
    expect(chosen(kafka, postgresSink({ table: 'orders' }))).toEqual({
      kind: 'kafka',
      topic: 'ours',
    });
    expect(chosen({ SINKS: 'postgres' }, postgresSink({ table: 'orders' }))).toEqual({
      kind: 'postgres',
      table: 'delivered',
    });
  });
});
