import { Kafka, logLevel, type Transaction } from 'kafkajs';
import { SystemClock } from '#libs/flow-control';
import { clientConfig } from '../../libs/kafka/src/kafka-clients.js';
import { tuningOf } from '../../libs/kafka/src/profiles.js';
import {
  createTransactionClient,
  type TransactionClient,
} from '../../libs/kafka/src/transaction-client.js';
import type { TransactionRecord } from '../../libs/kafka/src/transaction-request.js';
import { Transactions } from '../../libs/kafka/src/transactions.js';
import { TestKafka, testBrokers, uniqueName } from '../support/kafka.js';
import { KafkaProxy } from '../support/kafka-proxy.js';
import { until } from '../support/until.js';

const silence = (): undefined => undefined;
const logger = { error: silence, warn: silence, info: silence, debug: silence };
const LONG_MS = 90_000;
const INPUT = 'input';

const some = (count: number, from = 0): TransactionRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    recordId: `input:0:${from + index}`,
    offset: BigInt(from + index),
    key: Buffer.from(`key${index % 3}`),
    value: Buffer.from(`v-${from + index}`),
    headers: undefined,
    attempt: 1,
  }));
const valuesOf = (records: readonly TransactionRecord[]) =>
  records.map(({ value }) => String(value));

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

  const started = (): Transactions => {
    const connection = { brokers: testBrokers(), clientId: 'transactions' };
    const config = clientConfig(connection, 10_000, logger);
    const transactions = new Transactions({
      groupId,
      topic,
      tuning: tuningOf('low-latency'),
      transactionTimeoutMs: 900_000,
      createClient: () =>
        faulty(
          createTransactionClient({ ...config, socketFactory: proxy.socketFactory }, logger),
          () => {
            const next = fault;
            fault = undefined;
            return next;
          },
        ),
      clock: new SystemClock(),
      random: Math.random,
    });
    all.push(transactions);
    return transactions;
  };
  const give = (
    transactions: Transactions,
    records: readonly TransactionRecord[],
    nextOffset: bigint,
  ) => transactions.transact({ topic: INPUT, partition: 0, records, nextOffset });
  const kindsOf = async (...given: ReturnType<typeof give>[]): Promise<string[]> =>
    (await Promise.all(given)).map(({ kind }) => kind);
  const committed = async (): Promise<number> => (await kafka.committed(groupId, INPUT))[0] ?? -1;

  /** The coordinator shows an offset a moment after the end of its transaction. */
  const committedIs = (offset: number): Promise<unknown> =>
    until(async () => (await committed()) === offset, { what: `the committed offset ${offset}` });

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
    // A broker that has just been started makes its coordinators' topics when they are first asked for.
    await setUp();
    const first = started();
    const isCommitted = async (): Promise<boolean> =>
      (await give(first, some(1), 1n)).kind === 'committed';
    await until(isCommitted, { deadlineMs: LONG_MS, what: 'the coordinators of a new broker' });
    await tearDown();
  }, LONG_MS);

  const setUp = async (): Promise<void> => {
    topic = await kafka.createTopic(2);
    groupId = uniqueName('group');
    proxy = new KafkaProxy(testBrokers().join(','));
    await proxy.open();
  };

  const tearDown = async (): Promise<void> => {
    for (const transactions of all.splice(0)) await transactions.stop();
    await proxy.close();
    fault = undefined;
  };

  beforeEach(setUp);

  afterEach(tearDown);

  afterAll(async () => {
    await kafka.close();
  });

  it(
    'commits the records of serial transactions together with the offset (X2)',
    async () => {
      const transactions = started();
      const kinds = await kindsOf(
        give(transactions, some(10), 10n),
        give(transactions, some(5, 10), 15n),
        give(transactions, [], 17n),
      );
      expect(kinds).toEqual(['committed', 'committed', 'committed']);
      expect(await readCommitted(15)).toEqual(valuesOf(some(15)).toSorted());
      await committedIs(17);
    },
    LONG_MS,
  );

  it(
    'says where each record was written',
    async () => {
      const result = await give(started(), some(3), 3n);
      if (result.kind !== 'committed') throw new Error(result.kind);
      const read = await kafka.readCommitted(topic, 3);
      for (const [i, place] of result.places.entries()) {
        const found = read.find(
          ({ partition, offset }) =>
            partition === place?.partition && BigInt(offset) === place.offset,
        );
        expect(found?.value).toBe(`v-${i}`);
      }
    },
    LONG_MS,
  );

  it(
    'goes on after a commit that failed: nothing of it is seen, and the next transaction succeeds (P7)',
    async () => {
      const transactions = started();
      fault = () => Promise.reject(new Error('EndTxn failed'));
      expect(await give(transactions, some(4), 4n)).toMatchObject({
        kind: 'failed',
        failure: { kind: 'outage' },
      });
      expect(await committed()).toBe(-1);
      expect(await kindsOf(give(transactions, some(4), 4n))).toEqual(['committed']);
      expect(await readCommitted(4)).toEqual(valuesOf(some(4)));
      await committedIs(4);
    },
    LONG_MS,
  );

  it(
    'runs nothing that was given behind a transaction that failed: its offset stays uncommitted (X2)',
    async () => {
      const transactions = started();
      fault = () => Promise.reject(new Error('EndTxn failed'));
      const kinds = await kindsOf(
        give(transactions, some(2), 2n),
        give(transactions, some(2, 2), 4n),
      );
      expect(kinds).toEqual(['failed', 'failed']);
      expect(await committed()).toBe(-1);
    },
    LONG_MS,
  );

  it(
    'finds that a commit without an answer has happened, and delivers nothing twice (X4)',
    async () => {
      const transactions = started();
      fault = async (commit) => {
        await commit();
        throw new Error('the answer got lost');
      };
      expect(await kindsOf(give(transactions, some(4), 4n))).toEqual(['failed']);
      expect(await give(transactions, some(6), 6n)).toMatchObject({
        kind: 'committed',
        places: [undefined, undefined, undefined, undefined, {}, {}],
      });
      expect(await readCommitted(6)).toEqual(valuesOf(some(6)));
    },
    LONG_MS,
  );

  it(
    'finds it also when the broker was away in between',
    async () => {
      const transactions = started();
      fault = async (commit) => {
        await commit();
        await proxy.close();
        throw new Error('the answer got lost');
      };
      expect(await kindsOf(give(transactions, some(4), 4n))).toEqual(['failed']);
      expect(await kindsOf(give(transactions, some(6), 6n))).toEqual(['failed']);
      await proxy.open();
      expect(await kindsOf(give(transactions, some(6), 6n))).toEqual(['committed']);
      expect(await readCommitted(6)).toEqual(valuesOf(some(6)));
      await committedIs(6);
    },
    LONG_MS,
  );

  it(
    'commits nothing with a record that is too large, and names it; the others can be given again',
    async () => {
      topic = await kafka.createTopic(1, { config: { 'max.message.bytes': '20000' } });
      const transactions = started();
      const records = some(9).map((each, index) =>
        index === 5 ? { ...each, value: Buffer.alloc(30_000) } : each,
      );
      const result = await give(transactions, records, 9n);
      if (result.kind !== 'refused') throw new Error(result.kind);
      expect(result.refused.map(({ record }) => record.recordId)).toEqual(['input:0:5']);
      expect(await committed()).toBe(-1);
      const others = records.filter((_, index) => index !== 5);
      expect(await kindsOf(give(transactions, others, 9n))).toEqual(['committed']);
      expect(await readCommitted(8)).toEqual(valuesOf(others));
      await committedIs(9);
    },
    LONG_MS,
  );

  it(
    'ends what the last owner of the partition left open when the next one takes it (X1)',
    async () => {
      const frozen = started();
      let release: () => void = silence;
      fault = () => new Promise((resolve) => (release = resolve));
      void give(frozen, some(3), 3n);
      await until(() => fault === undefined, { what: 'a transaction before its commit' });
      const next = started();
      expect(await next.take(INPUT, 0)).toBeUndefined();
      expect(await kindsOf(give(next, some(3), 3n))).toEqual(['committed']);
      expect(await readCommitted(3)).toEqual(valuesOf(some(3)));
      release();
    },
    LONG_MS,
  );

  it(
    'sends nothing again when a frozen owner wakes and takes its id back (X4)',
    async () => {
      const frozen = started();
      let wake: () => void = silence;
      fault = (commit) => new Promise<void>((resolve) => (wake = resolve)).then(() => commit());
      const late = give(frozen, some(3), 3n);
      await until(() => fault === undefined, { what: 'a transaction before its commit' });
      const next = started();
      await next.take(INPUT, 0);
      await give(next, some(5), 5n);
      wake();
      expect(await kindsOf(late)).toEqual(['failed']);
      // Its producer is fenced; a new one of the same id fences the other owner.
      expect(await give(frozen, some(4), 4n)).toMatchObject({
        kind: 'committed',
        places: [undefined, undefined, undefined, undefined],
      });
      await committedIs(5);
      expect(await kindsOf(give(next, some(2, 5), 7n))).toEqual(['failed']);
      expect(await kindsOf(give(next, some(2, 5), 7n))).toEqual(['committed']);
      expect(await readCommitted(7)).toEqual(valuesOf(some(7)));
    },
    LONG_MS,
  );

  it(
    'answers the offset of a transaction that has just ended, not the one before it (X4)',
    async () => {
      const first = started();
      for (let round = 1; round <= 20; round += 1) {
        const next = BigInt(2 * round);
        await give(first, some(2, 2 * round - 2), next);
        expect(await first.take(INPUT, 0)).toBe(next);
      }
      expect(await readCommitted(40)).toHaveLength(40);
    },
    LONG_MS,
  );

  it(
    'moves the offset over records that ended elsewhere, and never back',
    async () => {
      const transactions = started();
      await give(transactions, some(3), 3n);
      await transactions.commitOffsets([{ topic: INPUT, partition: 0, offset: '7' }]);
      await committedIs(7);
      await transactions.commitOffsets([{ topic: INPUT, partition: 0, offset: '5' }]);
      await committedIs(7);
      expect(await committed()).toBe(7);
    },
    LONG_MS,
  );
});
