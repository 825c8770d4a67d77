import fc from 'fast-check';
import { KeyedSequencer } from '../../libs/flow-control/src/index.js';

type Operation =
  { kind: 'offer' | 'done'; key: string | undefined } | { kind: 'take'; every: number };

const key = fc.constantFrom('a', 'b', 'c', '', undefined);
const operations = fc.array(
  fc.oneof<fc.WeightedArbitrary<Operation>[]>(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant('offer' as const), key }) },
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('done' as const), key }) },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 1, max: 3 })
        .map((every): Operation => ({ kind: 'take', every })),
    },
  ),
  { maxLength: 100 },
);

/** A list of numbered items; the first of a key is its ready one. */
class Model {
  items: { readonly key: string; readonly item: number }[] = [];

  constructor(private readonly capacity: number) {}

  of(wanted: string): number[] {
    return this.items.filter((entry) => entry.key === wanted).map((entry) => entry.item);
  }

  get activeKeys(): number {
    return new Set(this.items.map((entry) => entry.key)).size;
  }

  offer(on: string | undefined, item: number): 'ready' | 'queued' | undefined {
    if (on === undefined) return 'ready';
    if (this.items.length >= this.capacity) return undefined;
    this.items.push({ key: on, item });
    return this.of(on).length === 1 ? 'ready' : 'queued';
  }

  done(on: string | undefined): number | undefined {
    const first = this.items.findIndex((entry) => entry.key === on);
    if (on === undefined || first < 0) return undefined;
    this.items.splice(first, 1);
    return this.of(on)[0];
  }

  takeQueued(fits: (item: number) => boolean): Map<string, number[]> {
    const queued = new Map<string, number[]>();
    const ready = new Set<string>();
    this.items = this.items.filter((entry) => {
      if (!ready.has(entry.key)) return ready.add(entry.key);
      if (!fits(entry.item)) return true;
      queued.set(entry.key, [...(queued.get(entry.key) ?? []), entry.item]);
      return false;
    });
    return queued;
  }
}

/** What the sequencer answered, and the model; drained items by key, whose order among keys is free. */
function apply(
  step: Operation,
  model: Model,
  sequencer: KeyedSequencer<number>,
  keyOf: (string | undefined)[],
): [unknown, unknown] {
  if (step.kind === 'done') return [sequencer.done(step.key), model.done(step.key)];
  if (step.kind === 'offer') {
    const item = keyOf.push(step.key) - 1;
    return [sequencer.offer(step.key, item), model.offer(step.key, item)];
  }
  const drained = new Map<string, number[]>();
  const { every } = step as Extract<Operation, { kind: 'take' }>;
  const fits = (item: number): boolean => item % every === 0;
  const taken = every === 1 ? sequencer.drain() : sequencer.takeQueued(fits);
  for (const item of taken) {
    const on = keyOf[item] ?? '';
    drained.set(on, [...(drained.get(on) ?? []), item]);
  }
  return [drained, model.takeQueued(fits)];
}

describe('KeyedSequencer against a model', () => {
  it('keeps one item of a key ready, the order of each key and its bound, whatever is offered, done and drained', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), operations, (capacity, steps) => {
        const model = new Model(capacity);
        const sequencer = new KeyedSequencer<number>({ capacity });
        const keyOf: (string | undefined)[] = [];
        for (const step of steps) {
          const [answer, expected] = apply(step, model, sequencer, keyOf);
          expect(answer).toEqual(expected);
          expect(sequencer.size).toBe(model.items.length);
          expect(sequencer.size).toBeLessThanOrEqual(capacity);
          expect(sequencer.activeKeys).toBe(model.activeKeys);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('hands every item taken on exactly once, in the order of its key', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 60 }), (keys) => {
        const sequencer = new KeyedSequencer<number>({ capacity: 100 });
        const handedOn: number[] = [];
        keys.forEach((on, item) => {
          if (sequencer.offer(on, item) === 'ready') handedOn.push(item);
        });
        for (let turn = 0; turn < handedOn.length; turn += 1) {
          const next = sequencer.done(keys[handedOn[turn] ?? 0]);
          if (next !== undefined) handedOn.push(next);
        }
        for (const on of ['a', 'b', 'c']) {
          const inOrder = [...keys.keys()].filter((item) => keys[item] === on);
          expect(handedOn.filter((item) => keys[item] === on)).toEqual(inOrder);
        }
        expect(sequencer).toMatchObject({ size: 0, activeKeys: 0 });
      }),
    );
  });
});
