import fc from 'fast-check';
import kafkajs from 'kafkajs';
import compression from 'kafkajs/src/protocol/message/compression/index.js';
import encodeMessageSet from 'kafkajs/src/protocol/messageSet/index.js';
import fetch from 'kafkajs/src/protocol/requests/fetch/index.js';
import { encodeBatch } from './batch-encoding.js';
import { registerCodecs } from './compression.js';
import { crc32c } from './crc32c.js';
import { patchFetchDecoding } from './fetch-decoding.js';
import { BATCH_AT, BATCH_FLAGS } from './record-batch.js';
import type { EncodableMessage } from './record-encoding.js';

const logger = { warn: jest.fn() };
const original = fetch.protocol;
const target = { versions: fetch.versions, protocol: fetch.protocol };
const LATEST = 11;

interface Message {
  readonly offset: string;
  readonly timestamp: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Record<string, unknown>;
  readonly isControlRecord: boolean;
}
interface Partition {
  readonly messages: readonly Message[];
}
interface Response {
  readonly responses: readonly { readonly partitions: readonly Partition[] }[];
}

/** A response with one partition, in the fields of the version. */
function responseOf(
  records: Buffer,
  { version = LATEST, aborted = [] as readonly (readonly [bigint, bigint])[] } = {},
): Buffer {
  const int16 = (value: number): Buffer => {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return bytes;
  };
  const int32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  };
  const int64 = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return bytes;
  };
  const nothing = Buffer.alloc(0);
  return Buffer.concat([
    int32(7),
    version >= 7 ? Buffer.concat([int16(0), int32(99)]) : nothing,
    int32(1),
    Buffer.concat([int16(5), Buffer.from('topic')]),
    int32(1),
    int32(3),
    int16(0),
    int64(1000n),
    int64(900n),
    version >= 5 ? int64(1n) : nothing,
    int32(aborted.length),
    ...aborted.flatMap(([producer, first]) => [int64(producer), int64(first)]),
    version >= LATEST ? int32(2) : nothing,
    int32(records.length),
    records,
  ]);
}

async function read(protocol: typeof original, raw: Buffer, version = LATEST): Promise<unknown> {
  return protocol({ version })({ topics: [] }).response.decode(raw);
}

/** What kafkajs's consumer, and we, use of a response. */
function seenOf(response: unknown): unknown {
  const { responses, ...others } = response as Response & Record<string, unknown>;
  return {
    ...others,
    responses: responses.map(({ partitions, ...topic }) => ({
      ...topic,
      partitions: partitions.map((partition) => {
        const {
          messages,
          lastStartOffset: _,
          ...fields
        } = partition as Partition & {
          lastStartOffset?: string;
        };
        return { ...fields, messages: messages.map(messageOf) };
      }),
    })),
  };
}

function messageOf({
  offset,
  timestamp,
  key,
  value,
  headers = {},
  isControlRecord,
}: Partial<Message>) {
  const pairs = Object.entries(headers);
  return { offset, timestamp, key, value, headers: pairs, isControlRecord };
}

async function expectAlike(records: Buffer, version = LATEST): Promise<void> {
  const raw = responseOf(records, { version });
  const expected = seenOf(await read(original, raw, version));
  expect(seenOf(await read(target.protocol, raw, version))).toEqual(expected);
}

/** Changes fields of a batch as a broker would have written them. */
function altered(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(batch);
  change(copy);
  copy.writeUInt32BE(crc32c(copy, BATCH_AT.attributes), BATCH_AT.crc);
  return copy;
}

const plain = (messages: readonly EncodableMessage[], nowMs = 1_700_000_000_000) =>
  encodeBatch(messages, { isTransactional: false }, nowMs);

const bytes = fc.option(
  fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each)),
  { nil: null },
);
const message: fc.Arbitrary<EncodableMessage> = fc.record({
  key: bytes,
  value: bytes,
  timestamp: fc.integer({ min: 0, max: 2 ** 45 }).map(String),
  headers: fc.dictionary(fc.string(), fc.oneof(bytes, fc.array(bytes, { minLength: 2 })), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
});

describe('patchFetchDecoding', () => {
  beforeAll(() => patchFetchDecoding(logger, target));

  it('reads records of all kinds as kafkajs does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(message, { maxLength: 5 }), { maxLength: 4 }),
        async (given) => {
          const batches = await Promise.all(given.map((each) => plain(each)));
          await expectAlike(Buffer.concat(batches));
        },
      ),
    );
  });

  it.each([4, 5, 6, 7, 8, 9, 10, 11])('reads the fields of version %d', async (version) => {
    await expectAlike(await plain([{ key: 'k', value: 'v', headers: { a: 'b' } }]), version);
  });

  it('reads a partition without records', async () => {
    await expectAlike(Buffer.alloc(0));
    await expectAlike(await plain([]));
  });

  it('leaves a batch that was cut off, wherever that is, to the next fetch', async () => {
    const [first, second] = [await plain([{ value: 'first' }]), await plain([{ value: 'second' }])];
    const both = Buffer.concat([first, second]);
    for (let length = first.length; length < both.length; length += 1) {
      const raw = responseOf(both.subarray(0, length));
      const { responses } = (await read(target.protocol, raw)) as Response;
      const values = responses[0]!.partitions[0]!.messages.map(({ value }) => String(value));
      expect(values).toEqual(['first']);
    }
  });

  it('reads compressed batches', async () => {
    registerCodecs({ maxDecompressedBytes: 1_000_000 });
    const messages = Array.from({ length: 300 }, (_, i) => ({
      key: `k${i}`,
      value: 'v'.repeat(i),
    }));
    for (const code of [kafkajs.CompressionTypes.GZIP, kafkajs.CompressionTypes.Snappy]) {
      expect(compression.lookupCodecByAttributes(code)).not.toBeNull();
      const batch = await encodeBatch(messages, { isTransactional: false, compression: code }, 5);
      await expectAlike(batch);
    }
  });

  it('leaves the formats before record batches to kafkajs', async () => {
    const entries = [{ key: 'k', value: 'v', timestamp: 5, offset: 3 }];
    const raw = responseOf(encodeMessageSet({ messageVersion: 1, entries }).buffer);
    const found = await read(target.protocol, raw);
    expect(seenOf(found)).toEqual(seenOf(await read(original, raw)));
    expect(found).toHaveProperty('responses.0.partitions.0.messages.0.value', Buffer.from('v'));
  });

  it('reads offsets above 2^53, the time of the append, and long differences of time', async () => {
    const batch = await plain([
      { value: 'a', timestamp: '1' },
      { value: 'b', timestamp: String(2 ** 42) },
    ]);
    await expectAlike(altered(batch, (each) => each.writeBigInt64BE(2n ** 60n, 0)));
    await expectAlike(
      altered(batch, (each) => {
        each.writeInt16BE(BATCH_FLAGS.logAppendTime, BATCH_AT.attributes);
        each.writeBigInt64BE(1_800_000_000_000n, BATCH_AT.maxTimestamp);
      }),
    );
  });

  it('hides control records, and those of an aborted transaction', async () => {
    const inTransaction = (each: Buffer): void => {
      each.writeInt16BE(BATCH_FLAGS.inTransaction, BATCH_AT.attributes);
      each.writeBigInt64BE(77n, BATCH_AT.producerId);
    };
    const batch = altered(await plain([{ value: 'aborted' }]), inTransaction);
    const marker = altered(await plain([{ key: Buffer.alloc(4), value: null }]), (each) => {
      inTransaction(each);
      each.writeBigInt64BE(1n, BATCH_AT.firstOffset);
      each.writeInt16BE(BATCH_FLAGS.inTransaction | BATCH_FLAGS.isControl, BATCH_AT.attributes);
    });
    const after = altered(await plain([{ value: 'after' }]), (each) => {
      inTransaction(each);
      each.writeBigInt64BE(2n, BATCH_AT.firstOffset);
    });
    const raw = responseOf(Buffer.concat([batch, marker, after]), { aborted: [[77n, 0n]] });
    const { responses } = (await read(target.protocol, raw)) as Response;
    const [partition] = responses[0]!.partitions;
    expect(partition).toMatchObject({ abortedTransactions: [] });
    expect(partition!.messages.map(({ isControlRecord }) => isControlRecord)).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('keeps a header that is called __proto__, and both values of one that occurs twice', async () => {
    const headers = JSON.parse('{"__proto__":"p"}') as Record<string, string>;
    const batch = await plain([{ value: 'v', headers: { ...headers, twice: ['a', 'b'] } }]);
    const { responses } = (await read(target.protocol, responseOf(batch))) as Response;
    const found = responses[0]!.partitions[0]!.messages[0]!.headers;
    expect(Object.entries(found)).toEqual([
      ['__proto__', Buffer.from('p')],
      ['twice', [Buffer.from('a'), Buffer.from('b')]],
    ]);
  });

  it('fails for a record that ends behind its batch', async () => {
    const batch = await plain([{ value: 'value' }]);
    for (let cut = 1; cut < batch.length - BATCH_AT.records; cut += 1) {
      const short = altered(batch.subarray(0, batch.length - cut), (each) =>
        each.writeInt32BE(each.length - BATCH_AT.leaderEpoch, BATCH_AT.length),
      );
      await expect(read(target.protocol, responseOf(short))).rejects.toThrow(RangeError);
    }
  });

  it('fails for a record that is shorter or longer than what it holds', async () => {
    const batch = await plain([{ value: 'value' }, { value: 'value' }]);
    for (const length of [-1, 1, 5, 60]) {
      const lie = altered(batch, (each) => {
        each[BATCH_AT.records] = length < 0 ? 1 : 2 * length;
      });
      await expect(read(target.protocol, responseOf(lie))).rejects.toThrow(RangeError);
    }
  });

  it('leaves a kafkajs with other versions as it is, and warns', () => {
    const other = { versions: ['0', '12'], protocol: original };
    expect(patchFetchDecoding(logger, other)).toBe(false);
    expect(other.protocol).toBe(original);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });

  it('is applied once', () => {
    const { protocol } = target;
    expect(patchFetchDecoding(logger, target)).toBe(true);
    expect(target.protocol).toBe(protocol);
    expect(protocol({ version: 3 })).toEqual(expect.any(Function));
  });
});
