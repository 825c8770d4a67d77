/**
 * What one writes by hand with kafkajs: a batch of one partition is parsed, sent in chunks, put down in a ledger with one
 * row a record, and committed at its end. No bounds, no retries, no dead letters.
 */
import kafkajs, { type EachBatchPayload, type KafkaMessage } from 'kafkajs';
import { Pool } from 'pg';
import { answer } from '../child.js';
import { type Job, PARTITIONS } from './job.js';

const { Kafka, logLevel, Partitioners } = kafkajs;

/** A batch of a fetch can be larger than a broker takes in one send. */
const RECORDS_PER_SEND = 1000;

class PlainLoop {
  private readonly kafka: InstanceType<typeof Kafka>;
  private readonly pool: Pool;
  private readonly producer: ReturnType<InstanceType<typeof Kafka>['producer']>;
  private readonly consumer: ReturnType<InstanceType<typeof Kafka>['consumer']>;

  constructor(private readonly job: Job) {
    this.kafka = new Kafka({ brokers: [job.brokers], logLevel: logLevel.ERROR });
    this.pool = new Pool({ connectionString: job.databaseUrl });
    this.producer = this.kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    this.consumer = this.kafka.consumer({ groupId: job.groupId, maxWaitTimeInMs: 500 });
  }

  async run(): Promise<void> {
    await this.pool.query(`CREATE TABLE ledger (topic text, partition integer, record_offset bigint,
      acknowledged_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (topic, partition, record_offset))`);
    await Promise.all([this.producer.connect(), this.consumer.connect()]);
    await this.consumer.subscribe({ topic: this.job.inputTopic, fromBeginning: true });
    await this.consumer.run({
      autoCommit: false,
      partitionsConsumedConcurrently: PARTITIONS,
      eachBatch: (payload) => this.take(payload),
    });
  }

  private async take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { topic, partition, messages } = batch;
    for (let from = 0; from < messages.length; from += RECORDS_PER_SEND) {
      const chunk = messages.slice(from, from + RECORDS_PER_SEND);
      await this.send(partition, chunk);
      await this.pool.query({
        name: 'ledger',
        text: `INSERT INTO ledger (topic, partition, record_offset)
          SELECT $1, $2, * FROM unnest($3::bigint[]) ON CONFLICT DO NOTHING`,
        values: [topic, partition, chunk.map(({ offset }) => offset)],
      });
      await payload.heartbeat();
    }
    const offset = String(BigInt(batch.lastOffset()) + 1n);
    await this.consumer.commitOffsets([{ topic, partition, offset }]);
  }

  private async send(partition: number, chunk: readonly KafkaMessage[]): Promise<void> {
    const messages = chunk.map(({ value }) => {
      const { customerId } = JSON.parse(String(value)) as { customerId: string };
      return { key: customerId, value, partition };
    });
    await this.producer.send({ topic: this.job.outputTopic, acks: -1, messages });
  }
}

answer(async (job: Job) => {
  await new PlainLoop(job).run();
  return {};
});
