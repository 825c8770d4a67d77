import kafkajs from 'kafkajs';
import { registerCodecs } from '#libs/kafka';
import { TestKafka } from '../support/kafka.js';

const { CompressionTypes } = kafkajs;
const RECORDS = 3000;

jest.setTimeout(60_000);

describe('Compressed topics on a real broker (C18)', () => {
  let kafka: TestKafka;
  const messages = Array.from({ length: RECORDS }, (_, i) => ({
    partition: 0,
    key: `key-${i % 7}`,
    value: JSON.stringify({ i, text: 'penstock '.repeat(i % 50) }),
  }));
  const values = messages.map(({ value }) => value);

  beforeAll(async () => {
    registerCodecs({ maxDecompressedBytes: 64 * 1_048_576 });
    kafka = await TestKafka.connect();
  });
  afterAll(() => kafka.close());

  it.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'are read as the broker, in Java, has written them: %s',
    async (codec) => {
      // The broker compresses anew what it is sent in another way.
      const topic = await kafka.createTopic(1, { config: { 'compression.type': codec } });
      await kafka.produce(topic, messages);
      expect((await kafka.readAll(topic)).map(({ value }) => value)).toEqual(values);
    },
  );

  it.each([
    ['gzip', CompressionTypes.GZIP],
    ['snappy', CompressionTypes.Snappy],
    ['lz4', CompressionTypes.LZ4],
    ['zstd', CompressionTypes.ZSTD],
  ] as const)(
    'are written so that the broker, which looks into them, takes them: %s',
    async (_, codec) => {
      // To keep them without compression, the broker has to read them.
      const topic = await kafka.createTopic(1, { config: { 'compression.type': 'uncompressed' } });
      await kafka.produce(topic, messages, codec);
      expect((await kafka.readAll(topic)).map(({ value }) => value)).toEqual(values);
    },
  );
});
