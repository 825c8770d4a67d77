import { baseOffsetOf, messageOf } from './outgoing-message.js';

const record = {
  recordId: 'id-1',
  key: Buffer.from('key'),
  value: Buffer.from('value'),
  headers: { traceparent: '00-1-2-01', 'penstock-record-id': 'forged' },
  attempt: 2,
};
const answer = { topicName: 'orders', partition: 3, errorCode: 0, baseOffset: '9007199254740993' };

describe('messageOf', () => {
  it('always names the partition (P4)', () => {
    expect(messageOf(record, 3, 0)).toMatchObject({ partition: 3, key: record.key });
  });

  it('adds the id and the attempt to the headers, counting failed sends; the id is ours, whatever the record says', () => {
    expect(messageOf(record, 3, 4).headers).toEqual({
      traceparent: '00-1-2-01',
      'penstock-record-id': 'id-1',
      'penstock-attempt': '6',
    });
  });
});

describe('baseOffsetOf', () => {
  it('is exact beyond 2^53', () => {
    expect(baseOffsetOf([answer], 'orders', 3)).toBe(9007199254740993n);
  });

  it.each([
    ['no answer', []],
    ['another partition', [{ ...answer, partition: 2 }]],
    ['another topic', [{ ...answer, topicName: 'invoices' }]],
    ['an error', [{ ...answer, errorCode: 6 }]],
    ['more than one answer', [answer, { ...answer, partition: 2 }]],
  ])('takes %s for a failure (P5)', (_, answers) => {
    expect(() => baseOffsetOf(answers, 'orders', 3)).toThrow('does not name partition 3');
  });
});
