import { Kafka, logLevel, type Transaction } from 'kafkajs';
import { SystemClock } from '#libs/flow-control';
import type { Outgoing } from '../../libs/kafka/src/kafka-sink.js';
import { clientConfig } from '../../libs/kafka/src/kafka-clients.js';
import { tuningOf } from '../../libs/kafka/src/profiles.js';
import {
  createTransactionClient,
  type TransactionClient,
} from '../../libs/kafka/src/transaction-client.js';
import type { RefusedRecord } from '../../libs/kafka/src/transaction-request.js';
import { Transactions } from '../../libs/kafka/src/transactions.js';
import { TestKafka, testBrokers, uniqueName } from '../support/kafka.js';
import { KafkaProxy } from '../support/kafka-proxy.js';
import { until } from '../support/until.js';

const silence = (): undefined => undefined;
const logger = { error: silence, warn: silence, info: silence, debug: silence };
const LONG_MS = 60_000;
const INPUT = 'input';

const some = (count: number, from = 0): Outgoing[] =>
  Array.from({ length: count }, (_, index) => ({
    recordId: `input:0:${from + index}`,
    key: Buffer.from(`key${index % 3}`),
    value: Buffer.from(`v-${from + index}`),
    headers: undefined,
    attempt: 1,
  }));
const valuesOf = (records: readonly Outgoing[]) => records.map(({ value }) => String(value));

type CommitFault = (commit: () => Promise<void>) => Promise<void>;

/** A client whose next commit does what the test says. */
function faulty(client: TransactionClient, nextFault: () => CommitFault | undefined) {
  const withFault = (transaction: Transaction): Transaction => ({
    ...transaction,
    commit: () => {
      const fault = nextFault();
      return fault === undefined ? transaction.commit() : fault(() => transaction.commit());
    },
  });
  return {
    admin: () => client.admin(),
    producer: (config: Parameters<TransactionClient['producer']>[0]) => {
      const producer = client.producer(config);
      return { ...producer, transaction: async () => withFault(await producer.transaction()) };
    },
  };
}

describe('transactions on a real broker', () => {
  let kafka: TestKafka;
  let topic: string;
  let groupId: string;
  let fault: CommitFault | undefined;
  let proxy: KafkaProxy;
  const all: Transactions[] = [];
  const refused: RefusedRecord[] = [];

  const started = (): Transactions => {
    const connection = { brokers: testBrokers(), clientId: 'transactions' };
    const config = clientConfig(connection, 10_000, logger);
    const transactions = new Transactions({
      topic,
      tuning: tuningOf('low-latency'),
      transactionTimeoutMs: 900_000,
      createClient: () =>
        faulty(createTransactionClient({ ...config, socketFactory: proxy.socketFactory }), () => {
          const next = fault;
          fault = undefined;
          return next;
        }),
      clock: new SystemClock(),
      random: Math.random,
    });
    all.push(transactions);
    return transactions;
  };
  const give = (transactions: Transactions, records: readonly Outgoing[], nextOffset: bigint) =>
    transactions.transact({
      records,
      offsets: { groupId, topic: INPUT, partition: 0, nextOffset },
      keepRefused: (each) => {
        refused.push(...each);
        return Promise.resolve();
      },
    });
  /** A fresh broker makes its topics for transactions and offsets at the first request. */
  const ready = (transactions: Transactions): Promise<unknown> =>
    until(
      async () => {
        const outcomes = await give(transactions, some(1, 1000), 0n);
        return outcomes[0]?.kind === 'acknowledged';
      },
      { what: 'a first transaction' },
    );
  const committed = async (): Promise<number> => (await kafka.committed(groupId, INPUT))[0] ?? -1;

  /** What a read-committed reader sees, in any order of the partitions. */
  async function readCommitted(count: number): Promise<string[]> {
    const client = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING });
    const consumer = client.consumer({ groupId: uniqueName('reader'), maxWaitTimeInMs: 50 });
    const read: string[] = [];
    const ends = new Map<number, bigint>();
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachBatch: ({ batch }) => {
        for (const { value } of batch.messages) read.push(String(value));
        ends.set(batch.partition, BigInt(batch.lastOffset()) + 1n);
        return Promise.resolve();
      },
    });
    await until(() => read.length >= count, { what: `${count} records` });
    await consumer.disconnect();
    return read.toSorted();
  }

  beforeAll(async () => {
    kafka = await TestKafka.connect();
    await kafka.createTopic(1, { name: INPUT }).catch(() => undefined);
  }, LONG_MS);

  beforeEach(async () => {
    topic = await kafka.createTopic(2);
    groupId = uniqueName('group');
    proxy = new KafkaProxy(testBrokers().join(','));
    await proxy.open();
  });

  afterEach(async () => {
    for (const transactions of all.splice(0)) await transactions.stop();
    await proxy.close();
    fault = undefined;
    refused.length = 0;
  });

  afterAll(async () => {
    await kafka.close();
  });

  it(
    'commits the records of serial transactions together with the offset',
    async () => {
      const transactions = started();
      await ready(transactions);
      const outcomes = await Promise.all([
        give(transactions, some(10), 10n),
        give(transactions, some(5, 10), 15n),
        give(transactions, [], 17n),
      ]);
      expect(outcomes.flat().map((outcome) => outcome.kind)).toEqual(
        Array.from({ length: 15 }, () => 'acknowledged'),
      );
      expect(await readCommitted(16)).toEqual(valuesOf([...some(15), ...some(1, 1000)]).toSorted());
      expect(await committed()).toBe(17);
    },
    LONG_MS,
  );

  it(
    'goes on after a commit that failed: nothing of it is seen, and the next transaction succeeds (P7)',
    async () => {
      const transactions = started();
      fault = () => Promise.reject(new Error('EndTxn failed'));
      const first = await give(transactions, some(4), 4n);
      expect(first.map((outcome) => outcome.kind)).toEqual([
        'failed',
        'failed',
        'failed',
        'failed',
      ]);
      expect(first[0]).toMatchObject({ failure: { kind: 'outage' } });
      expect(await committed()).toBe(-1);
      const again = await give(transactions, some(4), 4n);
      expect(again.map((outcome) => outcome.kind)).toContain('acknowledged');
      expect(await readCommitted(4)).toEqual(valuesOf(some(4)));
      expect(await committed()).toBe(4);
    },
    LONG_MS,
  );

  it(
    'runs nothing that was given behind a transaction that failed: its offset stays uncommitted',
    async () => {
      const transactions = started();
      fault = () => Promise.reject(new Error('EndTxn failed'));
      const outcomes = await Promise.all([
        give(transactions, some(2), 2n),
        give(transactions, some(2, 2), 4n),
      ]);
      expect(outcomes.flat().map((outcome) => outcome.kind)).not.toContain('acknowledged');
      expect(await committed()).toBe(-1);
    },
    LONG_MS,
  );

  it(
    'finds that a commit without an answer has happened, and delivers nothing twice',
    async () => {
      const transactions = started();
      fault = async (commit) => {
        await commit();
        throw new Error('the answer got lost');
      };
      const outcomes = await give(transactions, some(4), 4n);
      expect(new Set(outcomes.map((outcome) => outcome.kind))).toEqual(new Set(['acknowledged']));
      await give(transactions, some(2, 4), 6n);
      expect(await readCommitted(6)).toEqual(valuesOf(some(6)));
    },
    LONG_MS,
  );

  it(
    'stays in doubt while the broker is away, and leaves out what was committed when the records come again',
    async () => {
      const transactions = started();
      fault = async (commit) => {
        await commit();
        await proxy.close();
        throw new Error('the answer got lost');
      };
      const lost = await give(transactions, some(4), 4n);
      expect(lost[0]).toMatchObject({ kind: 'failed', failure: { kind: 'outage' } });
      await proxy.open();
      const again = await give(transactions, some(6), 6n);
      expect(new Set(again.map((outcome) => outcome.kind))).toEqual(new Set(['acknowledged']));
      expect(await readCommitted(6)).toEqual(valuesOf(some(6)));
      expect(await committed()).toBe(6);
    },
    LONG_MS,
  );

  it(
    'keeps the dead letter of a record that is too large before it commits, and delivers the others',
    async () => {
      topic = await kafka.createTopic(1, { config: { 'max.message.bytes': '20000' } });
      const transactions = started();
      const records = some(9).map((each, index) =>
        index === 5 ? { ...each, value: Buffer.alloc(30_000) } : each,
      );
      const outcomes = await give(transactions, records, 9n);
      const failed = outcomes.flatMap((outcome, index) => (outcome.kind === 'failed' ? index : []));
      expect(failed).toEqual([5]);
      expect(refused.map(({ record }) => record.recordId)).toEqual(['input:0:5']);
      expect(await readCommitted(8)).toHaveLength(8);
      expect(await committed()).toBe(9);
    },
    LONG_MS,
  );

  it(
    'ends what the last owner of the partition left open when the next one begins',
    async () => {
      const frozen = started();
      let release: () => void = silence;
      fault = () => new Promise((resolve) => (release = resolve));
      void give(frozen, some(3), 3n);
      await until(() => fault === undefined, { what: 'a transaction before its commit' });
      await give(started(), some(3), 3n);
      expect(await readCommitted(3)).toEqual(valuesOf(some(3)));
      release();
    },
    LONG_MS,
  );
});
