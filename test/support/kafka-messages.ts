import { Kafka, logLevel } from 'kafkajs';
import { uniqueName } from './kafka.js';
import { until } from './until.js';

/** A record of a topic, in full. */
export interface ReadMessage {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Reads a topic until `isDone` with what was read so far, in the order of each partition. */
export async function readMessages(
  brokers: readonly string[],
  topic: string,
  isDone: (messages: readonly ReadMessage[]) => boolean,
  deadlineMs = 60_000,
): Promise<readonly ReadMessage[]> {
  const kafka = new Kafka({
    brokers: [...brokers],
    clientId: 'reader',
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 20 },
  });
  const consumer = kafka.consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 50 });
  const read: ReadMessage[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ partition, message: { offset, key, value, headers = {} } }) => {
        const texts = Object.entries(headers).map(([name, each]) => [name, String(each)]);
        const common = { partition, offset: BigInt(offset), value };
        read.push({ ...common, key: key && key.toString(), headers: Object.fromEntries(texts) });
        return Promise.resolve();
      },
    });
    await until(() => isDone(read), { deadlineMs, what: `the records of ${topic}` });
  } finally {
    await consumer.disconnect();
  }
  return read;
}
