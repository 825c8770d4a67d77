import { SystemClock } from '#libs/flow-control';
import {
  createKafka,
  createTransactionClient,
  type OrderedCompletion,
  patchFetchDecoding,
  registerCodecs,
  TopicCheck,
  Transactions,
  tuningOf,
} from '#libs/kafka';
import { clientConfig } from '../../libs/kafka/src/kafka-clients.js';
import { TransactionalKafkaSink } from '../../src/final-sink/sinks/transactional-kafka.sink.js';
import { KafkaPartition } from '../support/kafka-partition.js';
import { quietLogger } from '../support/kafka-source.js';
import { TestKafka, testBrokers, uniqueName } from '../support/kafka.js';
import { startLedger, type TestLedger } from '../support/ledger.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';
import { sinkContract, type SinkUnderTest } from './sink.contract.js';

const MAX_MESSAGE_BYTES = 20_000;
const clock = new SystemClock();

jest.setTimeout(60_000);

describe('TransactionalKafkaSink on a real broker', () => {
  let kafka: TestKafka;
  let database: TestDatabase;
  let books: TestLedger;
  const sinks: TransactionalKafkaSink[] = [];

  beforeAll(async () => {
    registerCodecs({ maxDecompressedBytes: 64 * 1_048_576 });
    patchFetchDecoding(quietLogger);
    [kafka, database] = await Promise.all([TestKafka.connect(), createTestDatabase()]);
    books = await startLedger(database.url);
  });
  afterEach(async () => {
    for (const sink of sinks.splice(0)) await sink.stop();
  });
  afterAll(async () => {
    await books.ledger.stop();
    await Promise.all([kafka.close(), database.drop()]);
  });

  async function makeSink(): Promise<SinkUnderTest> {
    const [input, output] = [
      await kafka.createTopic(1),
      await kafka.createTopic(1, { config: { 'max.message.bytes': String(MAX_MESSAGE_BYTES) } }),
    ];
    const connection = { brokers: testBrokers(), clientId: 'contract' };
    const config = clientConfig(connection, 10_000, quietLogger);
    const common = { clock, random: Math.random };
    const sink = new TransactionalKafkaSink({
      name: 'kafka',
      topic: output,
      clock,
      acknowledgments: books.acknowledgments,
      requireKafkaOnly: () => Promise.resolve(),
      capacity: { records: 1000, bytes: 1e6 },
      transactions: new Transactions({
        ...common,
        groupId: uniqueName('group'),
        topic: output,
        tuning: tuningOf('balanced'),
        transactionTimeoutMs: 60_000,
        createClient: () => createTransactionClient(config, quietLogger),
      }),
      createTopicCheck: (onReady) =>
        new TopicCheck({
          ...common,
          logger: quietLogger,
          specs: [{ name: output, role: 'output' }],
          create: false,
          createAdmin: () => createKafka(connection, 10_000, quietLogger).admin(),
          onReady,
        }),
    });
    const acknowledged = new Set<string>();
    const deliver = sink.deliver.bind(sink);
    sink.deliver = async (records, context) => {
      const outcomes = await deliver(records, context);
      records.forEach(({ id }, k) => outcomes[k]!.kind === 'acknowledged' && acknowledged.add(id));
      return outcomes;
    };
    sinks.push(sink);
    await sink.start();
    const partition = await KafkaPartition.take(books.kafkaBooks, input);
    const completion: OrderedCompletion = {
      done: () => undefined,
      isOurs: true,
      cut: (offsets, from) => partition.mark.cut(offsets, from),
      whenMoved: () => undefined,
    };
    const origin = { settled: () => undefined, completion };
    let next = 0n;
    const accepted: SinkUnderTest['accepted'] = async (fields) => {
      const [record] = partition.begin([next], { origin, ...fields });
      next += 1n;
      return record!;
    };
    return {
      sink,
      accepted,
      refusable: (fields) =>
        accepted({ ...fields, body: Buffer.alloc(2 * MAX_MESSAGE_BYTES, 'x') }),
      // Committed is not yet readable: the broker writes the markers a moment after its answer.
      delivered: () =>
        until(
          async () => {
            const ids = (await kafka.readAll(output)).map(({ recordId }) => recordId!);
            return [...acknowledged].every((id) => ids.includes(id)) ? ids : undefined;
          },
          { what: 'the markers of what is committed' },
        ),
      endOf: async ({ id }) => {
        const place = books.ledger.kafkaMarks.locate(id)!;
        return place.mark.books.has(place.offset) ? 'acknowledged' : undefined;
      },
    };
  }

  sinkContract('TransactionalKafkaSink', makeSink);
});
