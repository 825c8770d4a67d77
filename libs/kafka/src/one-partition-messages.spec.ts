import groupMessagesPerPartition from 'kafkajs/src/producer/groupMessagesPerPartition.js';
import { OnePartitionMessages } from './one-partition-messages.js';

const messages = Array.from({ length: 5 }, (_, i) => ({ value: `v${i}`, partition: 3 }));

describe('OnePartitionMessages', () => {
  it('is grouped by kafkajs as a plain array is', () => {
    const partitioner = ({ message }: { message: { partition: number } }) => message.partition;
    const given = { topic: 't', partitionMetadata: [{}], partitioner };
    const plain = groupMessagesPerPartition({ ...given, messages });
    const grouped = groupMessagesPerPartition({
      ...given,
      messages: OnePartitionMessages.take(messages),
    });
    expect(Object.keys(grouped)).toEqual(Object.keys(plain));
    expect([...grouped['3']!]).toEqual(plain['3']);
  });

  it('lets the partitioner see the metadata once, whatever the number of messages', () => {
    const partitioner = jest.fn(() => 3);
    const partitionMetadata = [{ partitionId: 0 }];
    const own = OnePartitionMessages.take(messages);
    groupMessagesPerPartition({ topic: 't', partitionMetadata, partitioner, messages: own });
    expect(partitioner.mock.calls).toEqual([[{ topic: 't', partitionMetadata, message: own[0] }]]);
  });

  it('is an ordinary array to everything else', () => {
    const own = OnePartitionMessages.take(messages);
    expect(own).toHaveLength(5);
    expect(own.map(({ value }) => value)).toEqual(['v0', 'v1', 'v2', 'v3', 'v4']);
    expect(own.find(({ value }) => value === 'v4')).toBe(messages[4]);
    expect(own.map(({ value }) => String(value)).reduce((all, one) => all + one)).toBe(
      'v0v1v2v3v4',
    );
  });

  it('has nothing to group when it is empty', () => {
    const partitioner = () => 0;
    const given = { topic: 't', partitionMetadata: [{}], partitioner };
    expect(
      groupMessagesPerPartition({ ...given, messages: OnePartitionMessages.take([]) }),
    ).toEqual({});
  });
});
