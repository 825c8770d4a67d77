import kafkajs, { type Producer } from 'kafkajs';
import { patchFetchDecoding } from '#libs/kafka';
import { quietLogger } from '../support/kafka-source.js';
import { TestKafka, testBrokers, uniqueName } from '../support/kafka.js';

jest.setTimeout(60_000);

describe('Two producers that abort on one partition, on a real broker', () => {
  let kafka: TestKafka;
  const producers: Producer[] = [];

  const makeProducer = async (): Promise<Producer> => {
    const client = new kafkajs.Kafka({
      brokers: testBrokers(),
      logLevel: kafkajs.logLevel.NOTHING,
    });
    const producer = client.producer({
      transactionalId: uniqueName('transaction'),
      maxInFlightRequests: 1,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    producers.push(producer);
    return producer;
  };

  beforeAll(async () => {
    patchFetchDecoding(quietLogger);
    kafka = await TestKafka.connect();
  });
  afterAll(async () => {
    await Promise.all(producers.map((producer) => producer.disconnect()));
    await kafka.close();
  });

  it('leave nothing to a reader of committed records, though the one that began first ends last', async () => {
    const topic = await kafka.createTopic(1);
    const [first, second] = [await makeProducer(), await makeProducer()];
    const send = { topic, messages: [{ value: 'aborted' }] };
    const early = await first.transaction();
    await early.send(send);
    const late = await second.transaction();
    await late.send(send);
    await late.abort();
    await early.send(send);
    await early.abort();
    const kept = await first.transaction();
    await kept.send({ topic, messages: [{ value: 'committed' }] });
    await kept.commit();
    const read = await kafka.readCommitted(topic, 1);
    expect(read.map(({ value }) => value)).toEqual(['committed']);
  });
});
