import fc from 'fast-check';
import { BoundedSemaphore, type Permit } from '../../libs/flow-control/src/index.js';
import { FakeClock } from '../support/fake-clock.js';

const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Operation =
  | { kind: 'try' | 'close' }
  | { kind: 'acquire'; timeoutMs: number | undefined }
  | { kind: 'release' | 'abort'; index: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'resize'; permits: number; queueCapacity: number };

const kind = <K extends string>(name: K) => fc.constant(name);
const small = fc.integer({ min: 0, max: 5 });
const operations = fc.array(
  fc.oneof<fc.WeightedArbitrary<Operation>[]>(
    { weight: 3, arbitrary: fc.record({ kind: kind('try') }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: kind('acquire'),
        timeoutMs: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ kind: kind('release'), index: fc.nat(20) }) },
    { weight: 4, arbitrary: fc.record({ kind: kind('abort'), index: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ kind: kind('advance'), ms: fc.nat(60) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: kind('resize'), permits: small, queueCapacity: small }),
    },
  ),
  { maxLength: 60 },
);

/** Flags and arrays: who holds, who waits, how each wait ended. */
class Model {
  nowMs = 0;
  rejected = 0;
  doubleReleases = 0;
  closed = false;
  readonly held: boolean[] = [];
  readonly outcomes: string[] = [];
  private waiters: { id: number; dueMs: number }[] = [];

  constructor(
    public permits: number,
    public queueCapacity: number,
  ) {}

  get inUse(): number {
    return this.held.filter(Boolean).length;
  }
  get queued(): number {
    return this.waiters.length;
  }

  tryAcquire(): boolean {
    if (this.closed || this.queued > 0 || this.inUse >= this.permits) return false;
    this.held.push(true);
    return true;
  }

  acquire(id: number, timeoutMs = Infinity): void {
    if (this.closed) this.outcomes[id] = 'FC_CLOSED';
    else if (this.tryAcquire()) this.outcomes[id] = 'granted';
    else if (this.queued < this.queueCapacity) {
      this.waiters.push({ id, dueMs: this.nowMs + timeoutMs });
    } else {
      this.rejected += 1;
      this.outcomes[id] = 'FC_SEMAPHORE_FULL';
    }
  }

  release(permit: number): void {
    if (this.held[permit] === false) this.doubleReleases += 1;
    if (this.held[permit]) this.held[permit] = false;
    this.serve();
  }

  giveUp(id: number, code: string): void {
    if (!this.waiters.some((waiter) => waiter.id === id)) return;
    this.waiters = this.waiters.filter((waiter) => waiter.id !== id);
    this.outcomes[id] = code;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    for (const { id, dueMs } of this.waiters) {
      if (dueMs <= this.nowMs) this.giveUp(id, 'FC_SEMAPHORE_WAIT_TIMEOUT');
    }
  }

  resize(permits: number, queueCapacity: number): void {
    this.permits = Math.max(1, permits);
    this.queueCapacity = queueCapacity;
    this.serve();
  }

  close(): void {
    this.closed = true;
    for (const { id } of this.waiters) this.giveUp(id, 'FC_CLOSED');
  }

  private serve(): void {
    while (this.waiters.length > 0 && this.inUse < this.permits) {
      this.outcomes[this.waiters.shift()?.id ?? 0] = 'granted';
      this.held.push(true);
    }
  }
}

class Real {
  readonly clock = new FakeClock();
  readonly semaphore: BoundedSemaphore;
  readonly permits: Permit[] = [];
  readonly outcomes: string[] = [];
  readonly controllers: AbortController[] = [];

  constructor(permits: number, queueCapacity: number) {
    const { clock } = this;
    this.semaphore = new BoundedSemaphore({ name: 'calls', permits, queueCapacity, clock });
  }

  tryAcquire(): boolean {
    const permit = this.semaphore.tryAcquire();
    if (permit !== undefined) this.permits.push(permit);
    return permit !== undefined;
  }

  acquire(timeoutMs: number | undefined): void {
    const controller = new AbortController();
    const id = this.controllers.push(controller) - 1;
    this.semaphore.acquire({ signal: controller.signal, timeoutMs }).then(
      (permit) => {
        this.permits.push(permit);
        this.outcomes[id] = 'granted';
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
    case 'try':
      expect(real.tryAcquire()).toBe(model.tryAcquire());
      return;
    case 'acquire':
      model.acquire(real.controllers.length, operation.timeoutMs);
      real.acquire(operation.timeoutMs);
      return;
    case 'release': {
      const permit = operation.index % Math.max(1, real.permits.length);
      model.release(permit);
      real.permits[permit]?.release();
      return;
    }
    case 'abort': {
      const waiter = recent(operation.index, real.controllers);
      model.giveUp(waiter, 'FC_SEMAPHORE_WAIT_ABORTED');
      real.controllers[waiter]?.abort();
      return;
    }
    case 'advance':
      model.advance(operation.ms);
      real.clock.advance(operation.ms);
      return;
    case 'resize':
      model.resize(operation.permits, operation.queueCapacity);
      real.semaphore.resize(operation);
      return;
    case 'close':
      model.close();
      real.semaphore.close();
  }
}

function expectSame(model: Model, { semaphore, outcomes }: Real, before: number): void {
  const now = semaphore.snapshot();
  expect(now).toEqual({
    name: 'calls',
    capacity: model.permits,
    inUse: model.inUse,
    queued: model.queued,
    queueCapacity: model.queueCapacity,
    rejected: model.rejected,
    doubleReleases: model.doubleReleases,
  });
  if (now.inUse > before) expect(now.inUse).toBeLessThanOrEqual(now.capacity);
  expect(outcomes).toEqual(model.outcomes);
}

describe('BoundedSemaphore against a model', () => {
  const scenario = fc.record({
    permits: fc.integer({ min: 1, max: 4 }),
    queueCapacity: small,
    steps: operations,
  });
  const run = async (model: Model, real: Real, steps: readonly Operation[]): Promise<void> => {
    for (const step of steps) {
      const { inUse } = model;
      apply(step, model, real);
      await flush();
      expectSame(model, real, inUse);
    }
  };

  it('agrees after every acquire, release, double release, abort, timeout and resize; in the end every wait has ended and every permit is back', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ permits, queueCapacity, steps }) => {
        const model = new Model(permits, queueCapacity);
        const real = new Real(permits, queueCapacity);
        await run(model, real, steps);
        for (let permit = 0; permit < real.permits.length; permit += 1) {
          real.permits[permit]?.[Symbol.dispose]();
          await flush();
        }
        expect(real.semaphore).toMatchObject({ inUse: 0, queued: 0 });
        expect(Object.keys(real.outcomes)).toHaveLength(real.controllers.length);
        expect(real.clock.pendingTimers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('agrees when it is closed at any moment: every wait ends, permits still come back', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, operations, async ({ permits, queueCapacity, steps }, later) => {
        const model = new Model(permits, queueCapacity);
        const real = new Real(permits, queueCapacity);
        await run(model, real, [...steps, { kind: 'close' }, ...later]);
        expect(real.semaphore.queued).toBe(0);
        expect(real.clock.pendingTimers).toBe(0);
      }),
      { numRuns: 100 },
    );
  });
});
