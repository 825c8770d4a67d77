import produce from 'kafkajs/src/protocol/requests/produce/index.js';
import { patchProduceEncoding, type ProduceArguments } from './produce-encoding.js';
import type { EncodableMessage } from './record-encoding.js';

const logger = { warn: jest.fn() };
const original = produce.protocol;
const target = { versions: produce.versions, protocol: produce.protocol };

const MESSAGES: EncodableMessage[] = [
  { key: 'ключ', value: Buffer.from('{"a":1}'), headers: { id: 'orders:0:1', attempt: '1' } },
  { key: null, value: null },
  { key: Buffer.from([0, 255]), value: '', headers: { twice: ['a', Buffer.from('b')], '': 'c' } },
  { value: 'x'.repeat(20_000), headers: { long: 'é'.repeat(100) } },
];
const many = Array.from({ length: 300 }, (_, i) => ({ key: String(i), value: 'v'.repeat(i) }));
const timed = [
  { value: 'a', timestamp: '1700000000000' },
  { value: 'b', timestamp: '1700000300000' },
  { value: 'c', timestamp: '1709999999999' },
];

const request = (
  messages: readonly EncodableMessage[],
  more: Partial<ProduceArguments> = {},
): ProduceArguments => ({
  acks: -1,
  timeout: 2000,
  topicData: [{ topic: 'out', partitions: [{ partition: 3, firstSequence: 7, messages }] }],
  ...more,
});

describe('patchProduceEncoding', () => {
  beforeAll(() => patchProduceEncoding(logger, target));
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it.each([
    ['keys, values and headers of all kinds', request(MESSAGES)],
    ['more records than one byte counts', request(many)],
    ['times of their own', request(timed)],
    ['a transaction', request(MESSAGES, { transactionalId: 't', producerEpoch: 2 })],
    ['a codec', request(many, { compression: 1 })],
    ['no records', request([])],
  ])('writes the bytes that kafkajs writes: %s', async (_, given) => {
    for (const version of [3, 5, 7]) {
      const expected = await original({ version })(given).request.encode();
      const encoded = await target.protocol({ version })(given).request.encode();
      expect(encoded.buffer.equals(expected.buffer)).toBe(true);
    }
  });

  it('leaves a kafkajs with other versions as it is, and warns', () => {
    const other = { versions: ['0', '9'], protocol: original };
    expect(patchProduceEncoding(logger, other)).toBe(false);
    expect(other.protocol).toBe(original);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });

  it('is applied once', () => {
    const { protocol } = target;
    expect(patchProduceEncoding(logger, target)).toBe(true);
    expect(target.protocol).toBe(protocol);
  });
});
