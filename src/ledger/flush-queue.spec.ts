import { FlushQueue, type FlushCall } from './flush-queue.js';

type Call = FlushCall<number, string>;

/** A queue whose flushes end when the test says so. */
function harness(bounds: { maxRecords: number; maxBytes: number }) {
  const flushes: {
    calls: readonly Call[];
    answer: PromiseWithResolvers<readonly (string | Error)[]>;
  }[] = [];
  const queue = new FlushQueue<number, string, string>({
    ...bounds,
    bytesOf: (item) => item,
    flush: (calls) => {
      const answer = deferred<readonly (string | Error)[]>();
      flushes.push({ calls, answer });
      return answer.promise;
    },
  });
  return {
    queue,
    flushes,
    batches: () => flushes.map(({ calls }) => calls.map((call) => call.items)),
  };
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function deferred<T>(): PromiseWithResolvers<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

/** What was pushed in this turn of the event loop is flushed when this resolves. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe('FlushQueue', () => {
  it('flushes what comes in one turn of the event loop together, and gathers the rest meanwhile (Q1)', async () => {
    const { queue, flushes, batches } = harness({ maxRecords: 10, maxBytes: 100 });
    const first = Promise.all([queue.push('a', [1]), queue.push('a', [1])]);
    expect(batches()).toEqual([]);
    await settled();
    const second = queue.push('a', [2]);
    const third = queue.push('a', [3, 4]);
    await settled();
    expect(batches()).toEqual([[[1], [1]]]);
    expect(queue.waiting).toBe(5);
    expect(queue.waitingBytes).toBe(11);
    flushes[0]!.answer.resolve(['one', 'one as well']);
    await expect(first).resolves.toEqual(['one', 'one as well']);
    await settled();
    expect(batches()).toEqual([
      [[1], [1]],
      [[2], [3, 4]],
    ]);
    flushes[1]!.answer.resolve(['two', 'three']);
    await expect(Promise.all([second, third])).resolves.toEqual(['two', 'three']);
    await settled();
    expect(queue.isIdle).toBe(true);
  });

  it('keeps a batch within both bounds, and never splits a call (Q3)', async () => {
    const { queue, flushes, batches } = harness({ maxRecords: 3, maxBytes: 100 });
    const calls = [[1], [1, 1], [1, 1], [60], [60], [1, 1, 1, 1, 1], [1]].map((items) =>
      queue.push('a', items),
    );
    for (let flush = 0; flush < 5; flush += 1) {
      await settled();
      flushes[flush]!.answer.resolve(flushes[flush]!.calls.map(() => 'ok'));
    }
    await Promise.all(calls);
    expect(batches()).toEqual([[[1], [1, 1]], [[1, 1], [60]], [[60]], [[1, 1, 1, 1, 1]], [[1]]]);
  });

  it('keeps calls of different kinds apart, in their order (Q2)', async () => {
    const { queue, flushes, batches } = harness({ maxRecords: 10, maxBytes: 100 });
    const calls = [
      queue.push('a', [1]),
      queue.push('a', [2]),
      queue.push('b', [3]),
      queue.push('a', [4]),
    ];
    for (let flush = 0; flush < 3; flush += 1) {
      await settled();
      flushes[flush]!.answer.resolve(flushes[flush]!.calls.map(() => 'ok'));
    }
    await Promise.all(calls);
    expect(batches()).toEqual([[[1], [2]], [[3]], [[4]]]);
  });

  it('rejects the calls of a batch that failed, and one call by its own error', async () => {
    const { queue, flushes } = harness({ maxRecords: 10, maxBytes: 100 });
    const first = queue.push('a', [1]);
    await settled();
    const second = queue.push('a', [2]);
    const third = queue.push('a', [3]);
    flushes[0]!.answer.reject('text');
    await expect(first).rejects.toThrow('text');
    await settled();
    flushes[1]!.answer.resolve([new Error('second is bad'), 'ok']);
    await expect(second).rejects.toThrow('second is bad');
    await expect(third).resolves.toBe('ok');
  });

  it('starts no flush while it is held (Q4), and can reject what waits', async () => {
    const { queue, flushes } = harness({ maxRecords: 10, maxBytes: 100 });
    queue.hold();
    const refused = queue.push('a', [1]);
    expect(flushes).toHaveLength(0);
    queue.rejectWaiting(new Error('away'));
    await expect(refused).rejects.toThrow('away');
    expect(queue.waiting).toBe(0);
    const kept = queue.push('a', [2]);
    await settled();
    expect(flushes).toHaveLength(0);
    queue.go();
    await settled();
    expect(flushes).toHaveLength(1);
    flushes[0]!.answer.resolve(['ok']);
    await expect(kept).resolves.toBe('ok');
  });

  it('flushes nothing that was rejected, or is held, before its turn has come (Q4)', async () => {
    const { queue, flushes } = harness({ maxRecords: 10, maxBytes: 100 });
    const refused = queue.push('a', [1]);
    queue.rejectWaiting(new Error('away'));
    await expect(refused).rejects.toThrow('away');
    await settled();
    expect(queue.isIdle).toBe(true);
    const kept = queue.push('a', [2]);
    queue.hold();
    await settled();
    expect(flushes).toHaveLength(0);
    queue.go();
    await settled();
    flushes[0]!.answer.resolve(['ok']);
    await expect(kept).resolves.toBe('ok');
  });
});
