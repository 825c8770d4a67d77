import fc from 'fast-check';
import { CreditPool, type Lot, type Sizes } from '../../libs/flow-control/src/index.js';
import { FakeClock } from '../support/fake-clock.js';

const MIB = 1_048_576;
const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Change = Parameters<CreditPool['resize']>[0];
type Operation =
  | { kind: 'request'; count: number; sizes: Sizes; lane?: string }
  | { kind: 'acquire'; count: number; sizes: Sizes; lane?: string; timeoutMs?: number }
  | { kind: 'release'; lot: number; count?: number; bytes?: number }
  | { kind: 'requestCount' | 'replenish'; count: number }
  | { kind: 'abort'; waiter: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'resize'; change: Change }
  | { kind: 'close' };

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const size = fc.constantFrom(0, 300, 200_000, 700_000, 1_500_000, 4_000_000);
const sizes: fc.Arbitrary<Sizes> = fc.oneof(size, fc.array(size, { maxLength: 8 }));
const lane = optional(fc.constantFrom('A', 'B', 'C'));
const count = fc.integer({ min: 0, max: 9 });
const index = fc.nat(40);
const kind = <K extends string>(name: K) => fc.constant(name);
const request = fc.record({ kind: kind('request'), count, sizes, lane });
const acquire = fc.record({
  kind: kind('acquire'),
  count: fc.integer({ min: 1, max: 9 }),
  sizes,
  lane,
  timeoutMs: optional(fc.integer({ min: 0, max: 50 })),
});
const release = fc.record({
  kind: kind('release'),
  lot: index,
  count: optional(count),
  bytes: optional(fc.nat(2_000_000)),
});
const resize = fc.record({
  kind: kind('resize'),
  change: fc.record(
    {
      window: fc.integer({ min: 0, max: 15 }),
      factor: fc.constantFrom(1, 0.8, 0.5, 0.3),
      inServiceLimit: fc.integer({ min: 0, max: 12 }),
      meanRecordBytes: fc.constantFrom(0, 300, 400_000),
      activeLanes: fc.integer({ min: 0, max: 4 }),
      capacity: fc.integer({ min: 1, max: 15 }),
    },
    { requiredKeys: [] },
  ),
});
const advance = fc.record({ kind: kind('advance'), ms: fc.integer({ min: 0, max: 60 }) });
const operations: fc.Arbitrary<Operation[]> = fc.array(
  fc.oneof<fc.WeightedArbitrary<Operation>[]>(
    { weight: 5, arbitrary: request as fc.Arbitrary<Operation> },
    { weight: 6, arbitrary: acquire as fc.Arbitrary<Operation> },
    { weight: 9, arbitrary: release as fc.Arbitrary<Operation> },
    { weight: 1, arbitrary: fc.record({ kind: kind('requestCount'), count }) },
    { weight: 1, arbitrary: fc.record({ kind: kind('replenish'), count }) },
    { weight: 4, arbitrary: fc.record({ kind: kind('abort'), waiter: index }) },
    { weight: 2, arbitrary: advance },
    { weight: 3, arbitrary: resize as fc.Arbitrary<Operation> },
  ),
  { maxLength: 60 },
);

interface ModelLot {
  count: number;
  bytes: number;
  readonly lane: string | undefined;
}
interface ModelWaiter {
  readonly id: number;
  readonly count: number;
  readonly sizes: Sizes;
  readonly lane: string | undefined;
  readonly dueMs: number;
}

/** The pool as the notes state it: record by record, arrays and sums, no time but deadlines, no slow start. */
class Model {
  nowMs = 0;
  surplus = 0;
  granted = 0;
  countForm = 0;
  closed = false;
  readonly lots: ModelLot[] = [];
  readonly outcomes: (number | string)[] = [];
  private waiters: ModelWaiter[] = [];
  private change: Required<Omit<Change, 'replenishPerSecond'>>;

  constructor(
    capacity: number,
    private readonly byteCapacity: number,
  ) {
    this.change = {
      capacity,
      window: Infinity,
      factor: 1,
      inServiceLimit: 0,
      meanRecordBytes: Infinity,
      activeLanes: 0,
    };
  }

  get waiting(): number {
    return this.waiters.length;
  }
  get outstanding(): number {
    return this.lots.reduce((sum, lot) => sum + lot.count, this.countForm);
  }
  get bytes(): number {
    return this.lots.reduce((sum, lot) => sum + lot.bytes, 0);
  }
  get sized(): number {
    return Math.max(1, Math.min(this.change.capacity, this.change.window));
  }
  /** What is out stays out: a smaller capacity comes true as credits come back. */
  get capacity(): number {
    return Math.max(this.change.capacity, this.outstanding);
  }
  get limit(): number {
    const reacted = Math.ceil(Number((this.sized * this.change.factor).toFixed(9)));
    return Math.max(1, Math.min(this.sized, Math.max(this.change.inServiceLimit, reacted)));
  }
  get byteLimit(): number {
    return Math.min(this.byteCapacity, Math.max(MIB, this.sized * this.change.meanRecordBytes));
  }

  /** Takes record after record while each rule allows the next. */
  take(wanted: number, batch: Sizes, on: string | undefined): number {
    const lot: ModelLot = { count: 0, bytes: 0, lane: on };
    this.lots.push(lot);
    for (let record = 0; record < wanted && !this.closed; record += 1) {
      const bytes = typeof batch === 'number' ? batch : (batch[record] ?? 0);
      const alone = this.outstanding === 0;
      if (this.outstanding >= this.limit || !this.leavesFloor(on)) break;
      if (this.bytes + bytes > this.byteLimit && !alone) break;
      lot.count += 1;
      lot.bytes += bytes;
    }
    if (lot.count === 0) this.lots.pop();
    this.granted += lot.count;
    return lot.count;
  }

  request(wanted: number, batch: Sizes, on: string | undefined): number {
    return this.waiters.length > 0 ? 0 : this.take(wanted, batch, on);
  }

  acquire(waiter: ModelWaiter): void {
    if (this.closed) this.outcomes[waiter.id] = 'FC_CLOSED';
    else this.waiters.push(waiter);
    this.serve();
  }

  release(at: number, asked: number | undefined, askedBytes: number | undefined): void {
    const lot = this.lots[at];
    if (lot === undefined) return;
    const back = Math.min(lot.count, asked ?? Math.max(1, lot.count));
    this.surplus += (asked ?? Math.max(1, lot.count)) - back;
    const share = back === 0 ? 0 : Math.round((lot.bytes * back) / lot.count);
    const bytes = back === lot.count ? lot.bytes : Math.min(lot.bytes, askedBytes ?? share);
    if (back === 0) return;
    lot.count -= back;
    lot.bytes -= bytes;
    this.serve();
  }

  replenish(asked: number): void {
    const back = Math.min(asked, this.countForm);
    this.surplus += asked - back;
    this.countForm -= back;
    this.serve();
  }

  giveUp(id: number, code: string): void {
    if (!this.waiters.some((waiter) => waiter.id === id)) return;
    this.waiters = this.waiters.filter((waiter) => waiter.id !== id);
    this.outcomes[id] = code;
    this.serve();
  }

  advance(ms: number): void {
    this.nowMs += ms;
    const due = this.waiters.filter(({ dueMs }) => dueMs <= this.nowMs);
    for (const { id } of due.sort((a, b) => a.dueMs - b.dueMs || a.id - b.id)) {
      this.giveUp(id, 'FC_CREDIT_WAIT_TIMEOUT');
    }
  }

  resize(change: Change): void {
    this.change = { ...this.change, ...change };
    this.serve();
  }

  close(): void {
    this.closed = true;
    for (const { id } of this.waiters) this.outcomes[id] = 'FC_CLOSED';
    this.waiters = [];
  }

  private leavesFloor(on: string | undefined): boolean {
    const held = new Set(this.lots.filter((lot) => lot.count > 0).map((lot) => lot.lane));
    held.delete(undefined);
    if (on === undefined || this.change.activeLanes === 0 || !held.has(on)) return true;
    return this.limit - this.outstanding > this.change.activeLanes - held.size;
  }

  private serve(): void {
    for (let [head] = this.waiters; head !== undefined; [head] = this.waiters) {
      const taken = this.take(head.count, head.sizes, head.lane);
      if (taken === 0) return;
      this.outcomes[head.id] = taken;
      this.waiters.shift();
    }
  }
}

/** The real pool behind the same operations; lots and waits numbered as in the model. */
class Real {
  readonly clock = new FakeClock();
  readonly pool: CreditPool;
  readonly lots: Lot[] = [];
  readonly outcomes: (number | string)[] = [];
  readonly controllers: AbortController[] = [];

  constructor(capacity: number, byteCapacity: number) {
    this.pool = new CreditPool({ name: 'pool', capacity, byteCapacity, clock: this.clock });
  }

  /** What it said to be grantable and what it granted. */
  request(wanted: number, batch: Sizes, on: string | undefined): [number, number] {
    const grantable = this.pool.grantable(wanted, batch, on);
    const lot = this.pool.request(wanted, batch, on);
    if (lot !== undefined) this.lots.push(lot);
    return [grantable, lot?.count ?? 0];
  }

  acquire(operation: Extract<Operation, { kind: 'acquire' }>): void {
    const id = this.controllers.push(new AbortController()) - 1;
    const signal = this.controllers[id]?.signal;
    const { count: wanted, sizes: batch, lane: on, timeoutMs } = operation;
    this.pool.acquire(wanted, { sizes: batch, lane: on, timeoutMs, signal }).then(
      (lot) => {
        this.lots.push(lot);
        this.outcomes[id] = lot.count;
      },
      (error: { code: string }) => {
        this.outcomes[id] = error.code;
      },
    );
  }
}

/** One of the last eight: the latest are the most likely to wait still. */
function recent(back: number, all: readonly unknown[]): number {
  return Math.max(0, all.length - 1 - (back % 8));
}

function apply(operation: Operation, model: Model, real: Real): void {
  switch (operation.kind) {
    case 'request': {
      const { count: wanted, sizes: batch, lane: on } = operation;
      const taken = model.request(wanted, batch, on);
      expect(real.request(wanted, batch, on)).toEqual([taken, taken]);
      return;
    }
    case 'acquire': {
      const { count: wanted, sizes: batch, lane: on, timeoutMs = Infinity } = operation;
      const id = real.controllers.length;
      model.acquire({ id, count: wanted, sizes: batch, lane: on, dueMs: model.nowMs + timeoutMs });
      real.acquire(operation);
      return;
    }
    case 'release': {
      if (operation.count === 0) return;
      const at = real.lots.length === 0 ? 0 : operation.lot % real.lots.length;
      model.release(at, operation.count, operation.bytes);
      real.lots[at]?.release(operation.count, operation.bytes);
      return;
    }
    case 'requestCount': {
      const lotsBefore = model.lots.length;
      const taken = model.request(operation.count, 0, undefined);
      model.lots.length = lotsBefore;
      model.countForm += taken;
      expect(real.pool.requestCount(operation.count)).toBe(taken);
      return;
    }
    case 'replenish':
      model.replenish(operation.count);
      real.pool.replenish(operation.count);
      return;
    case 'abort': {
      const waiter = recent(operation.waiter, real.controllers);
      model.giveUp(waiter, 'FC_CREDIT_WAIT_ABORTED');
      real.controllers[waiter]?.abort();
      return;
    }
    case 'advance':
      model.advance(operation.ms);
      real.clock.advance(operation.ms);
      return;
    case 'resize':
      model.resize(operation.change);
      real.pool.resize(operation.change);
      return;
    case 'close':
      model.close();
      real.pool.close();
  }
}

function expectSame(model: Model, { pool, lots, outcomes }: Real, before: number): void {
  const now = pool.snapshot();
  expect(now.available + now.outstanding).toBe(now.capacity); // I1
  expect(now.outstanding).toBeGreaterThanOrEqual(0); // I2
  expect(now.outstanding).toBeLessThanOrEqual(now.capacity);
  expect(now.granted - now.returned).toBe(now.outstanding); // I4
  expect(now.limit).toBeGreaterThanOrEqual(1); // I6
  if (now.granted > before) expect(now.outstanding).toBeLessThanOrEqual(now.limit); // I3
  expect({ ...now, bytes: now.bytes.outstanding }).toMatchObject({
    capacity: model.capacity,
    window: model.sized,
    limit: model.limit,
    outstanding: model.outstanding,
    granted: model.granted,
    waiting: model.waiting,
    surplus: model.surplus,
    bytes: model.bytes,
  });
  expect(now.bytes.limit).toBe(model.byteLimit);
  expect(outcomes).toEqual(model.outcomes); // I5: who was granted, how much, in which order
  expect(lots.map((lot) => lot.count)).toEqual(model.lots.map((lot) => lot.count));
}

describe('CreditPool against a model', () => {
  const scenario = fc.record({
    capacity: fc.integer({ min: 1, max: 12 }),
    byteCapacity: fc.constantFrom(Infinity, 3 * MIB),
    steps: operations,
  });
  const run = async (model: Model, real: Real, steps: readonly Operation[]): Promise<void> => {
    for (const step of steps) {
      const { granted } = model;
      apply(step, model, real);
      await flush();
      expectSame(model, real, granted);
    }
  };

  it('agrees after every acquire, request, release, double release, abort, timeout and resize (I1-I6); in the end every wait has ended and every credit is back (I4, I7)', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ capacity, byteCapacity, steps }) => {
        const model = new Model(capacity, byteCapacity);
        const real = new Real(capacity, byteCapacity);
        await run(model, real, steps);
        real.pool.replenish(real.pool.outstanding);
        await flush();
        for (let lot = 0; lot < real.lots.length; lot += 1) {
          real.lots[lot]?.[Symbol.dispose]();
          await flush();
        }
        expect(real.pool).toMatchObject({ outstanding: 0, waiting: 0 });
        expect(Object.keys(real.outcomes)).toHaveLength(real.controllers.length);
        expect(real.clock.pendingTimers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('agrees when it is closed at any moment: every wait ends, credits still come back', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, operations, async ({ capacity, byteCapacity, steps }, later) => {
        const model = new Model(capacity, byteCapacity);
        const real = new Real(capacity, byteCapacity);
        await run(model, real, [...steps, { kind: 'close' }, ...later]);
        expect(real.pool.waiting).toBe(0);
        expect(real.clock.pendingTimers).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('CreditPool with slow start', () => {
  type Step =
    | { kind: 'request' | 'acquire' | 'release'; count: number }
    | { kind: 'advance'; ms: number }
    | { kind: 'stalled'; isStalled: boolean }
    | { kind: 'resize'; change: { capacity?: number; replenishPerSecond?: number } };
  const steps = fc.array(
    fc.oneof<fc.WeightedArbitrary<Step>[]>(
      { weight: 4, arbitrary: fc.record({ kind: kind('request'), count }) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: kind('acquire'), count: fc.integer({ min: 1, max: 9 }) }),
      },
      { weight: 4, arbitrary: fc.record({ kind: kind('release'), count }) },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: kind('advance'),
          ms: fc.constantFrom(1, 20, 333, 999, 1000, 3000),
        }),
      },
      { weight: 2, arbitrary: fc.record({ kind: kind('stalled'), isStalled: fc.boolean() }) },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: kind('resize'),
          change: fc.record(
            {
              capacity: fc.integer({ min: 1, max: 60 }),
              replenishPerSecond: fc.constantFrom(0.5, 3, 250, 5000),
            },
            { requiredKeys: [] },
          ),
        }),
      },
    ),
    { maxLength: 60 },
  );

  /** Knows when a stall ends, by the definition: counters at each end, for R1. */
  class StallWatch {
    ends: { accrued: number; granted: number; returned: number }[] = [];
    /** The replenish rate summed over time: it may change on the way. */
    accrued = 0;
    private declared = false;
    private quietSinceMs = 0;

    constructor(
      private readonly pool: CreditPool,
      private readonly clock: FakeClock,
      private perSecond: number,
    ) {}

    advance(ms: number): void {
      this.accrued += (this.perSecond * ms) / 1000;
    }
    resize({ capacity = 0, replenishPerSecond = this.perSecond }: Change): void {
      this.perSecond = replenishPerSecond;
      // More credits are the operator's word, not the reopening after a stall.
      if (capacity > this.pool.sized) this.ends = [];
    }
    beforeGrant(): void {
      if (this.pool.outstanding === 0) this.quietSinceMs = this.clock.now();
    }
    beforeRelease(): void {
      const stalled = this.clock.now() - this.quietSinceMs >= 1000 && !this.declared;
      if (stalled) this.end();
      this.quietSinceMs = this.clock.now();
    }
    declare(isStalled: boolean): void {
      if (this.declared && !isStalled) this.end();
      if (this.declared && !isStalled) this.quietSinceMs = this.clock.now();
      this.declared = isStalled;
    }
    private end(): void {
      const { granted, returned } = this.pool.snapshot();
      this.ends.push({ accrued: this.accrued, granted, returned });
    }
  }

  const start = (capacity: number, perSecond: number) => {
    const clock = new FakeClock();
    const pool = new CreditPool({
      name: 'pool',
      capacity,
      replenishPerSecond: perSecond,
      clock,
    });
    return {
      clock,
      pool,
      watch: new StallWatch(pool, clock, perSecond),
      lots: [] as Lot[],
      ended: { waits: 0 },
    };
  };
  type World = ReturnType<typeof start>;

  const apply = (step: Step, { clock, pool, watch, lots, ended }: World): void => {
    if (step.kind === 'advance') {
      // Before: what the clock wakes up may grant already.
      watch.advance(step.ms);
      clock.advance(step.ms);
    }
    if (step.kind === 'resize') {
      watch.resize(step.change);
      pool.resize(step.change);
    }
    if (step.kind === 'stalled') {
      watch.declare(step.isStalled);
      pool.stalled(step.isStalled);
    }
    if (step.kind === 'request') {
      watch.beforeGrant();
      const lot = pool.request(step.count);
      if (lot !== undefined) lots.push(lot);
    }
    if (step.kind === 'acquire') {
      watch.beforeGrant();
      void pool.acquire(step.count).then((lot) => {
        ended.waits += 1;
        lots.push(lot);
      });
    }
    if (step.kind === 'release' && step.count > 0) {
      const lot = lots.find((candidate) => candidate.count > 0);
      if (lot !== undefined) watch.beforeRelease();
      lot?.release(step.count);
    }
  };

  const expectSlowStart = ({ pool, watch }: World): void => {
    const now = pool.snapshot();
    if (now.ceiling !== undefined) expect(now.outstanding).toBeLessThanOrEqual(now.ceiling);
    for (const end of watch.ends) {
      const allowed = now.returned - end.returned + watch.accrued - end.accrued + 1;
      expect(now.granted - end.granted).toBeLessThanOrEqual(allowed + 1e-6);
    }
  };

  it('grants no more after a stall than came back plus rate × time plus one (R1), and every wait still ends (I7)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(0.5, 3, 250, 5000),
        steps,
        async (capacity, perSecond, script) => {
          const world = start(capacity, perSecond);
          for (const step of script) {
            apply(step, world);
            await flush();
            expectSlowStart(world);
          }
          for (let lot = 0; lot < world.lots.length; lot += 1) {
            world.lots[lot]?.[Symbol.dispose]();
            await flush();
          }
          expect(world.pool).toMatchObject({ outstanding: 0, waiting: 0 });
          expect(world.ended.waits).toBe(script.filter((step) => step.kind === 'acquire').length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('serves a waiter behind the ceiling by time alone, although nothing comes back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 40 }),
        fc.constantFrom(0.5, 3, 250, 5000),
        fc.nat(1_000_000),
        async (capacity, perSecond, uptimeMs) => {
          const { clock, pool } = start(capacity, perSecond);
          clock.advance(uptimeMs + 0.1);
          pool.stalled(true);
          pool.stalled(false);
          const waits = Array.from({ length: capacity }, () => pool.acquire(1));
          await clock.advanceAsync(2 * capacity + (1000 * capacity) / perSecond);
          expect(pool).toMatchObject({ waiting: 0, outstanding: capacity });
          expect(await Promise.all(waits)).toHaveLength(capacity);
          expect(clock.pendingTimers).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });
});
