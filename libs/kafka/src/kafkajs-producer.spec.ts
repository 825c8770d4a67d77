import { KafkaJSProtocolError, type ProducerConfig, type ProducerRecord } from 'kafkajs';
import type { Outgoing } from './kafka-sink.js';
import { KafkajsProducer, type ProducerClient } from './kafkajs-producer.js';
import { tuningOf } from './profiles.js';

const { createErrorFromCode } = jest.requireActual<{
  createErrorFromCode: (code: number) => KafkaJSProtocolError;
}>('kafkajs/src/protocol/error');
const TOPIC = 'orders';
const record: Outgoing = { recordId: 'r', key: null, value: null, headers: undefined, attempt: 1 };
const answerOf = (partition: number) => [
  { topicName: TOPIC, partition, errorCode: 0, baseOffset: '5' },
];

/** Clients of which every request is the test's; one is made per connection. */
class Clients {
  readonly configs: ProducerConfig[] = [];
  readonly requests: ProducerRecord[] = [];
  disconnects = 0;
  partitions = 4;
  connectError: Error | undefined;
  send: (request: ProducerRecord) => Promise<ReturnType<typeof answerOf>> = ({ messages }) =>
    Promise.resolve(answerOf(messages[0]?.partition ?? -1));

  create = (): ProducerClient => ({
    producer: (config) => {
      this.configs.push(config);
      return {
        connect: () => (this.connectError ? Promise.reject(this.connectError) : Promise.resolve()),
        disconnect: () => {
          this.disconnects += 1;
          return Promise.resolve();
        },
        send: (request) => {
          this.requests.push(request);
          return this.send(request);
        },
      };
    },
    admin: () => ({
      connect: () => Promise.resolve(),
      disconnect: () => Promise.resolve(),
      fetchTopicMetadata: () =>
        Promise.resolve({
          topics: [
            { name: TOPIC, partitions: Array.from({ length: this.partitions }, () => metadata) },
          ],
        }),
    }),
  });
}

const metadata = { partitionId: 0, leader: 1, partitionErrorCode: 0, replicas: [1], isr: [1] };

function setup(idempotent = false) {
  const clients = new Clients();
  const partitions: number[] = [];
  const producer = new KafkajsProducer({
    topic: TOPIC,
    tuning: tuningOf('standard'),
    idempotent,
    createClient: clients.create,
    onPartitions: (count) => partitions.push(count),
  });
  return { clients, partitions, producer };
}

describe('KafkajsProducer', () => {
  it('leaves no option to a default of kafkajs (C20)', async () => {
    const { clients, producer } = setup();
    await producer.send(2, [record], 0);
    expect(clients.configs).toEqual([
      {
        idempotent: false,
        maxInFlightRequests: 1,
        retry: {
          initialRetryTime: 100,
          maxRetryTime: 5000,
          factor: 0.2,
          multiplier: 2,
          retries: 3,
        },
        allowAutoTopicCreation: false,
        createPartitioner: expect.any(Function),
      },
    ]);
    expect(clients.requests).toEqual([
      expect.objectContaining({ topic: TOPIC, acks: -1, compression: 2, timeout: 2000 }),
    ]);
  });

  it('connects once for all sends, and again after a connect that failed', async () => {
    const { clients, producer, partitions } = setup();
    clients.connectError = new Error('no broker');
    await expect(producer.connect()).rejects.toThrow('no broker');
    expect(clients.disconnects).toBe(1);
    clients.connectError = undefined;
    await Promise.all([producer.send(0, [record], 0), producer.send(1, [record], 0)]);
    expect(clients.configs).toHaveLength(2);
    expect(partitions).toEqual([4]);
  });

  it('notices new partitions from the metadata of its sends', async () => {
    const { clients, producer, partitions } = setup();
    await producer.connect();
    const place = clients.configs[0]!.createPartitioner!();
    const message = { value: null, partition: 3 };
    const partitionMetadata = Array.from({ length: 6 }, () => metadata);
    expect(place({ topic: TOPIC, partitionMetadata, message })).toBe(3);
    expect(partitions).toEqual([4, 6]);
  });

  it('takes a new client after the topic was not there, and learns its partitions (P8)', async () => {
    const { clients, producer, partitions } = setup();
    await producer.connect();
    clients.send = () => Promise.reject(createErrorFromCode(3));
    clients.partitions = 2;
    await expect(producer.send(0, [record], 0)).rejects.toThrow('does not host');
    await producer.connect();
    expect(clients.configs).toHaveLength(2);
    expect(clients.disconnects).toBe(1);
    expect(partitions).toEqual([4, 2]);
    const stale = clients.configs[0]!.createPartitioner!();
    const partitionMetadata = Array.from({ length: 4 }, () => metadata);
    stale({ topic: TOPIC, partitionMetadata, message: { value: null, partition: 0 } });
    expect(partitions).toEqual([4, 2]);
  });

  it('takes a new client when a send resolved without an answer for its partition (P5)', async () => {
    const { clients, producer } = setup();
    clients.send = () => Promise.resolve([]);
    await expect(producer.send(1, [record], 0)).rejects.toThrow('does not name partition 1');
    await producer.connect();
    expect(clients.configs).toHaveLength(2);
  });

  it('keeps its client after another failure, unless it is idempotent (P6)', async () => {
    for (const [idempotent, clientsMade] of [
      [false, 1],
      [true, 2],
    ] as const) {
      const { clients, producer } = setup(idempotent);
      clients.send = () => Promise.reject(createErrorFromCode(6));
      await expect(producer.send(0, [record], 0)).rejects.toThrow('not the leader');
      await producer.connect();
      expect(clients.configs).toHaveLength(clientsMade);
    }
  });

  it('disconnects a client it has replaced when its last send has settled', async () => {
    const { clients, producer } = setup();
    const answers: ((error: Error) => void)[] = [];
    clients.send = () => new Promise((_, reject) => answers.push(reject));
    const sends = [producer.send(0, [record], 0), producer.send(1, [record], 0)];
    await producer.connect();
    answers[0]!(createErrorFromCode(3));
    await expect(sends[0]).rejects.toThrow('does not host');
    expect(clients.disconnects).toBe(0);
    answers[1]!(createErrorFromCode(3));
    await expect(sends[1]).rejects.toThrow('does not host');
    expect(clients.disconnects).toBe(1);
  });

  it('sends nothing after it was closed', async () => {
    const { clients, producer } = setup();
    await producer.connect();
    await producer.close();
    await producer.close();
    expect(clients.disconnects).toBe(1);
    await expect(producer.send(0, [record], 0)).rejects.toThrow('stopped');
  });
});
