import Encoder from 'kafkajs/src/protocol/encoder.js';
import { patchOffsetFetch, UNSTABLE_OFFSET, withStableOffsets } from './stable-offset-fetch.js';

type Target = NonNullable<Parameters<typeof patchOffsetFetch>[1]>;

const GIVEN = { groupId: 'g', topics: [{ topic: 'in', partitions: [{ partition: 3 }] }] };

function patched(): Target {
  const protocol = (() => () => 'old') as unknown as Target['protocol'];
  const target: Target = { versions: ['1', '4'], protocol };
  expect(patchOffsetFetch({ warn: jest.fn() }, target)).toBe(true);
  return target;
}

async function encoded(target: Target): Promise<Buffer> {
  const { request } = target.protocol({ version: 7 })(GIVEN);
  return (await request.encode()).buffer;
}

describe('the fetch of stable offsets', () => {
  it('asks in version 7 for stable offsets, and only for those who want them', async () => {
    const target = patched();
    expect(target.versions).toEqual(['1', '4', '7']);
    // No tags; "g"; one topic "in"; one partition, 3; no tags; stable or not; no tags.
    const request = (isStable: string): string =>
      ['00', '0267', '02', '03696e', '02', '00000003', '00', isStable, '00'].join('');
    expect((await encoded(target)).toString('hex')).toBe(request('00'));
    const stable = await withStableOffsets(() => encoded(target));
    expect(stable.toString('hex')).toBe(request('01'));
  });

  it('answers an offset that is about to change as unstable, and others as they are', async () => {
    const { response } = patched().protocol({ version: 7 })(GIVEN);
    const partition = (id: number, offset: string, errorCode: number): Encoder =>
      new Encoder()
        .writeInt32(id)
        .writeInt64(offset)
        .writeInt32(-1)
        .writeUVarInt(1)
        .writeInt16(errorCode)
        .writeUVarInt(0);
    const raw = new Encoder()
      .writeUVarInt(0)
      .writeInt32(0)
      .writeUVarInt(2)
      .writeUVarIntString('in')
      .writeUVarInt(3)
      .writeEncoder(partition(0, '42', 0))
      .writeEncoder(partition(1, '-1', 88))
      .writeUVarInt(0)
      .writeInt16(0)
      .writeUVarInt(0);
    const answer = await response.parse(await response.decode(raw.buffer));
    expect(answer).toMatchObject({
      responses: [
        {
          topic: 'in',
          partitions: [
            { partition: 0, offset: '42' },
            { partition: 1, offset: UNSTABLE_OFFSET },
          ],
        },
      ],
    });
  });

  it('rejects with the error of a partition', async () => {
    const { response } = patched().protocol({ version: 7 })(GIVEN);
    const responses = [
      { topic: 'in', partitions: [{ partition: 0, offset: '-1', errorCode: 29 }] },
    ];
    await expect(response.parse({ errorCode: 0, responses })).rejects.toThrow(/[Aa]uthoriz/);
  });

  it('refuses a broker that can not answer it, but asks nothing new of it otherwise', () => {
    const target = patched();
    expect(target.protocol({ version: 4 })(GIVEN)).toBe('old');
    expect(() => withStableOffsets(() => target.protocol({ version: 4 }) as never)).toThrow(
      'needs Apache Kafka 2.5 or newer',
    );
  });

  it('leaves a kafkajs of another version as it is, and warns', () => {
    const warn = jest.fn();
    const target = { versions: ['1', '9'], protocol: jest.fn() };
    expect(patchOffsetFetch({ warn }, target)).toBe(false);
    expect(warn).toHaveBeenCalledTimes(1);
  });
});
