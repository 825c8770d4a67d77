import * as fc from 'fast-check';
import { OffsetWatermark, type OrderedCompletion } from '#libs/kafka';
import { InputLane, type LaneItem } from '../../src/final-sink/sinks/input-lane.js';

interface Item extends LaneItem {
  readonly number: number;
}

/** What happens to one input partition. */
type Step =
  /** The source hands over this many records, with gaps of this size between them. */
  | { kind: 'begin'; count: number; gap: number }
  /** A record that has not come to the sink ends upstream; `pick` chooses it. */
  | { kind: 'endUpstream'; pick: number }
  /** The next records come to the sink, in their order. */
  | { kind: 'arrive'; count: number }
  /** A transaction commits; the source hears of it at once, or later. */
  | { kind: 'commit'; isTold: boolean }
  | { kind: 'tell' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('begin' as const),
    count: fc.integer({ min: 1, max: 20 }),
    gap: fc.integer({ min: 0, max: 3 }),
  }),
  fc.record({ kind: fc.constant('endUpstream' as const), pick: fc.nat(50) }),
  fc.record({ kind: fc.constant('arrive' as const), count: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant('commit' as const), isTold: fc.boolean() }),
  fc.constant({ kind: 'tell' as const }),
);

/** A partition of a source, and the lane of its records at the sink. */
class Partition {
  readonly mark: OffsetWatermark;
  readonly lane = new InputLane<Item>();
  /** In flight and not at the sink, in their order. */
  readonly upstream: number[] = [];
  readonly ended = new Set<number>();
  readonly sent: number[] = [];
  committedOffset = 0;
  readonly broken: string[] = [];
  untold: number[] = [];
  next = 0;
  all: number[] = [];

  constructor() {
    this.mark = new OffsetWatermark({ low: 0n, maxRecords: 1024 });
  }

  readonly completion: OrderedCompletion = {
    done: (first, last) => void this.mark.done(first, last),
    isOurs: true,
    cut: (offsets, from) => this.mark.cut(offsets, from),
    whenMoved: () => undefined,
  };

  run(each: Step): void {
    if (each.kind === 'begin') this.begin(each.count, each.gap);
    else if (each.kind === 'endUpstream') this.endUpstream(each.pick);
    else if (each.kind === 'arrive') {
      for (const number of this.upstream.splice(0, each.count)) {
        this.lane.push({ number, offset: BigInt(number), completion: this.completion });
      }
    } else if (each.kind === 'commit') this.commit(each.isTold);
    else this.tell();
  }

  private begin(count: number, gap: number): void {
    const offsets = Array.from({ length: count }, (_, i) => this.next + i * (gap + 1));
    if (this.mark.prefix(offsets, 0, count) < count) return;
    this.mark.begin(offsets, offsets, 0, count);
    this.next = offsets.at(-1)! + 1;
    this.upstream.push(...offsets);
    this.all.push(...offsets);
  }

  private endUpstream(pick: number): void {
    const [number] = this.upstream.splice(pick % Math.max(1, this.upstream.length), 1);
    if (number === undefined) return;
    this.ended.add(number);
    this.mark.done(BigInt(number), BigInt(number));
  }

  private commit(isTold: boolean): void {
    const cut = this.lane.cut();
    if (cut === undefined) return;
    const numbers = cut.items.map(({ number }) => number);
    const nextOffset = Number(cut.nextOffset);
    if (nextOffset <= this.committedOffset) this.broken.push(`${nextOffset} is not ahead`);
    this.sent.push(...numbers);
    // IL1: everything below has ended, or was sent.
    const sent = new Set(this.sent);
    const left = this.all.filter((n) => n < nextOffset && !sent.has(n) && !this.ended.has(n));
    if (left.length > 0) this.broken.push(`${left.join()} left below ${nextOffset}`);
    this.committedOffset = nextOffset;
    this.lane.committed(cut);
    this.untold.push(...numbers);
    if (isTold) this.tell();
  }

  /** The books have them: the source hears of it, in any order of the batches. */
  private tell(): void {
    for (const number of this.untold.splice(0).toReversed()) {
      this.mark.done(BigInt(number), BigInt(number));
    }
  }
}

describe('InputLane', () => {
  it('cuts only where everything below has ended or is sent, once, in order, and stops at nothing else (IL1, IL2)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const partition = new Partition();
        for (const each of steps) partition.run(each);
        // Everything that is left comes; then nothing may stay.
        partition.run({ kind: 'arrive', count: Infinity });
        partition.run({ kind: 'commit', isTold: false });
        expect(partition.broken).toEqual([]);
        expect(partition.lane.size).toBe(0);
        const { sent, all, ended } = partition;
        expect(sent).toEqual(all.filter((number) => !ended.has(number)));
      }),
    );
  });

  it('gives up the records of a partition that is no longer ours (IL3)', () => {
    const lane = new InputLane<LaneItem>();
    const cut = () => ({ count: 1, nextOffset: 8n });
    const completion = { done: () => undefined, isOurs: true, cut, whenMoved: () => undefined };
    const lost = { offset: 7n, completion: { ...completion, isOurs: false } };
    const ours = { offset: 7n, completion };
    lane.push(lost);
    lane.push(ours);
    expect(lane.takeLost()).toEqual([lost]);
    expect(lane.cut()).toEqual({ items: [ours], nextOffset: 8n });
    expect(lane.takeLost()).toEqual([]);
    expect(lane.takeAll()).toEqual([ours]);
    expect(lane.cut()).toBeUndefined();
  });
});
