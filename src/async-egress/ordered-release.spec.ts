import { makeRecord } from '../../test/support/ledger.js';
import type { Carried } from '../pipeline/give-back.js';
import { OrderedRelease } from './ordered-release.js';

const lot = {} as Carried['lot'];
const recordsOf = (partition: number, count: number) =>
  Array.from({ length: count }, (_, offset) => makeRecord({ id: `t:${partition}:${offset}` }));

function made() {
  const released: string[] = [];
  const release = new OrderedRelease(({ record }) => released.push(record.id));
  return { released, release };
}

describe('OrderedRelease', () => {
  it('lets a record go on when all before it have gone on, whatever order they are done in (OR1)', () => {
    const { released, release } = made();
    const [first, second, third] = recordsOf(0, 3);
    release.add([first!, second!]);
    release.add([third!]);
    release.done({ record: third!, lot });
    release.done({ record: second!, lot });
    expect(released).toEqual([]);
    release.done({ record: first!, lot });
    expect(released).toEqual(['t:0:0', 't:0:1', 't:0:2']);
  });

  it('goes over records that have ended', () => {
    const { released, release } = made();
    const [first, second] = recordsOf(0, 2);
    release.add([first!, second!]);
    release.done({ record: second!, lot });
    release.ended(first!);
    release.ended(first!);
    expect(released).toEqual(['t:0:1']);
  });

  it('keeps one partition apart from another', () => {
    const { released, release } = made();
    const [slow] = recordsOf(0, 1);
    const [quick] = recordsOf(1, 1);
    release.add([slow!, quick!]);
    release.done({ record: quick!, lot });
    expect(released).toEqual(['t:1:0']);
    release.done({ record: slow!, lot });
    expect(released).toEqual(['t:1:0', 't:0:0']);
  });
});
