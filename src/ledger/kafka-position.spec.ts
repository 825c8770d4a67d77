import { makeRecord } from '../../test/support/ledger.js';
import { type KafkaOrigin, originalOf, parsePosition, positionId } from './kafka-position.js';

const FIRST = { topic: 'orders.v1_x-y', incarnation: 1, partition: 3, offset: 17n };

describe('the id of a Kafka record', () => {
  it('names the incarnation from the second one on', () => {
    expect(positionId(FIRST)).toBe('orders.v1_x-y:3:17');
    expect(positionId({ ...FIRST, incarnation: 2 })).toBe('orders.v1_x-y@2:3:17');
  });

  it('is read back as the position it was made of', () => {
    const largest = { ...FIRST, incarnation: 12, offset: 2n ** 63n - 1n };
    expect(parsePosition(positionId(FIRST))).toEqual(FIRST);
    expect(parsePosition(positionId(largest))).toEqual(largest);
  });

  it.each([
    ['without a topic', ':0:1'],
    ['without an offset', 'orders:0'],
    ['with a first incarnation that is spelled out', 'orders@1:0:1'],
    ['with leading zeros', 'orders:00:01'],
    ['with an offset beyond 2^63', 'orders:0:9223372036854775808'],
    ['with a negative offset', 'orders:0:-1'],
    ['with other characters in the topic', 'ord/ers:0:1'],
    ['with more behind it', 'orders:0:1:2'],
    ['of a REST record', '019b76da-a800-7000-8000-000000000000'],
  ])('is none %s', (_, id) => {
    expect(parsePosition(id)).toBeUndefined();
  });
});

describe('originalOf', () => {
  it('asks the origin of a Kafka record, and nobody where there is none', () => {
    const original = { key: Buffer.from('k'), value: null };
    const origin: KafkaOrigin = { settled: () => undefined, original: () => original };
    expect(originalOf(makeRecord({ origin }))).toBe(original);
    expect(originalOf(makeRecord())).toBeUndefined();
  });
});
