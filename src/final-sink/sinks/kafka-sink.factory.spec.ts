import { StageHarness } from '../../../test/support/stage-harness.js';
import { makeRecord } from '../../../test/support/ledger.js';
import { loadOptions } from '../../config/load-options.js';
import { KafkaSinkFactory } from './kafka-sink.factory.js';

const BUFFER_BYTES = 1000;

function setUp() {
  const { options } = loadOptions({
    environment: {
      SINKS: 'kafka',
      KAFKA_BROKERS: '127.0.0.1:9',
      KAFKA_OUTPUT_TOPIC: 'out',
      KAFKA_BUFFER_BYTES: String(BUFFER_BYTES),
      FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS: '50',
      FINAL_SINK_BREAKER_FAILURES: '3',
      FINAL_SINK_BREAKER_OPEN_MS: '500',
    },
    folder: '/nowhere',
  });
  const { runtime, controller } = new StageHarness();
  const sink = new KafkaSinkFactory(options, runtime).create({ name: 'kafka', topic: 'out' });
  return { controller, sink };
}

describe('KafkaSinkFactory', () => {
  it('makes a sink with the bounds of the settings', async () => {
    const { sink } = setUp();
    expect(sink.status()).toMatchObject({
      topic: 'out',
      state: 'connecting',
      producer: { recordCapacity: 50, byteCapacity: BUFFER_BYTES },
    });
    await sink.stop();
  });

  it('gives it a breaker by FINAL_SINK_BREAKER_FAILURES and FINAL_SINK_BREAKER_OPEN_MS', async () => {
    const { sink } = setUp();
    for (let i = 0; i < 2; i += 1) sink.breaker.tryCall()!.failure();
    expect(sink.breaker.state).toBe('closed');
    sink.breaker.tryCall()!.failure();
    expect(sink.breaker.snapshot()).toMatchObject({ state: 'open', retryInMs: 500 });
    await sink.stop();
  });

  it('makes the producer’s bytes, as a share of their bound, a part of the network pressure', async () => {
    const { controller, sink } = setUp();
    const network = (): number => {
      controller.evaluate();
      return controller.getPipelineStatus().process.network;
    };
    expect(network()).toBeLessThan(0.6);
    const record = makeRecord({ body: Buffer.alloc(600) });
    const context = { signal: new AbortController().signal, again: () => undefined };
    const outcomes = sink.deliver([record], context);
    const share = sink.status().producer.queuedBytes / BUFFER_BYTES;
    expect(share).toBeGreaterThan(0.6);
    expect(network()).toBeCloseTo(share, 2);
    await sink.stop();
    expect(await outcomes).toMatchObject([{ kind: 'failed', failure: { kind: 'outage' } }]);
  });
});
