import { Logger } from '@nestjs/common';
import type { Admission } from '#libs/back-pressure';
import { sleep } from '#libs/flow-control';
import { FakeClock } from '../../test/support/fake-clock.js';
import { makeRecord } from '../../test/support/ledger.js';
import { until } from '../../test/support/until.js';
import type { LedgerListener } from '../ledger/ledger.js';
import { InFlight } from '../pipeline/in-flight.js';
import { Pauses } from '../pipeline/pauses.js';
import { DeadLetterStore } from './dead-letter-store.js';
import { RedriveEntry, type TakenLetter } from './redrive-entry.port.js';
import type { QueuedLetter } from './redrive-queue.js';
import { Redriver } from './redriver.js';

Logger.overrideLogger(false);

/** The pipeline and its credits, by hand. */
class FakeEntry extends RedriveEntry {
  hasCredits = true;
  failure: Error | undefined;
  readonly entered: TakenLetter[] = [];
  released = 0;

  constructor(
    private readonly clock: FakeClock,
    private readonly inFlight: InFlight,
  ) {
    super();
  }

  async admit(_sizeBytes: number, signal: AbortSignal): Promise<Admission> {
    while (!this.hasCredits) await sleep(this.clock, 50, signal);
    return { release: () => (this.released += 1) } as unknown as Admission;
  }

  async enter(letter: TakenLetter): Promise<boolean> {
    if (this.failure !== undefined) throw this.failure;
    this.entered.push(letter);
    const { id, redriveCount, recordId } = letter;
    const origin = { settled: () => undefined, letter: { id, redriveCount } };
    this.inFlight.add([makeRecord({ id: recordId, origin })]);
    return true;
  }
}

function setUp() {
  const clock = new FakeClock();
  const inFlight = new InFlight();
  const entry = new FakeEntry(clock, inFlight);
  const store = new DeadLetterStore({ maxLetters: 100 });
  /** Letter id → record id: the letters in the state `redriving`. */
  const table = new Map<string, string>();
  const looks: number[] = [];
  const listeners: LedgerListener[] = [];
  const ledger = {
    isOpen: true,
    listen: (listener: LedgerListener) => void listeners.push(listener),
  };
  const queue = {
    recount: async () => undefined,
    next: async (known: readonly string[], limit: number): Promise<readonly QueuedLetter[]> => {
      looks.push(limit);
      const ids = [...table].filter(([id]) => !known.includes(id)).slice(0, limit);
      return ids.map(([id, recordId]) => ({ id, recordId, sizeBytes: 1 }));
    },
    take: async (id: string) =>
      table.has(id)
        ? ({ id, recordId: table.get(id), redriveCount: 1 } as unknown as TakenLetter)
        : undefined,
  };
  const pauses = new Pauses();
  const redriver = new Redriver({ queue, store, ledger, entry, inFlight, pauses, clock });
  const entered = (): string[] => entry.entered.map(({ id }) => id);
  /** The record's end: as the books hold it, or left. */
  const settle = (recordId: string, end: 'acknowledged' | 'left' = 'acknowledged'): void => {
    const record = inFlight.get(recordId)!;
    if (end === 'acknowledged') record.terminal = { status: end };
    inFlight.settle([record]);
  };
  const close = (): void => {
    ledger.isOpen = false;
    for (const listener of listeners) {
      listener.closed({ reason: 'partitions-elsewhere', detail: '' });
    }
  };
  const open = (): void => {
    ledger.isOpen = true;
    for (const listener of listeners) listener.opened?.();
  };
  return {
    clock,
    entry,
    store,
    table,
    looks,
    redriver,
    inFlight,
    pauses,
    entered,
    settle,
    close,
    open,
  };
}

describe('Redriver', () => {
  let test: ReturnType<typeof setUp>;
  beforeEach(() => {
    test = setUp();
  });
  afterEach(async () => {
    await test.redriver.stop();
  });
  const enteredAre = (ids: readonly string[]) =>
    until(() => test.entered().join() === ids.join(), {
      what: `letters ${ids.join()} to be taken`,
    });
  const looked = async (): Promise<void> => {
    const before = test.looks.length;
    await until(async () => {
      await test.clock.advanceAsync(500);
      return test.looks.length > before;
    });
  };

  it('takes up what is to be sent again: at once when asked here, else at the next look', async () => {
    test.redriver.start();
    await until(() => test.looks.length === 1);
    test.table.set('1', 'a');
    test.store.events.emit('redrive', 1);
    await enteredAre(['1']);
    test.table.set('2', 'b');
    await looked();
    await enteredAre(['1', '2']);
    expect(test.redriver.size).toBe(2);
  });

  it('leaves no timer behind when it stops', async () => {
    test.entry.hasCredits = false;
    test.table.set('1', 'a');
    test.redriver.start();
    await until(() => test.redriver.size === 1);
    await test.redriver.stop();
    await until(() => test.redriver.size === 0);
    expect(test.clock.pendingTimers).toBe(0);
  });

  it('takes up nothing while another replica owns the partitions (RD1)', async () => {
    test.close();
    test.table.set('1', 'a');
    test.redriver.start();
    test.store.events.emit('redrive', 1);
    await test.clock.advanceAsync(2000);
    expect(test.looks).toEqual([]);
    test.open();
    await enteredAre(['1']);
  });

  it('takes up nothing while an operator has paused the pipeline, and goes on after it (RD5)', async () => {
    test.pauses.set(['pipeline']);
    test.table.set('1', 'a');
    test.redriver.start();
    test.store.events.emit('redrive', 1);
    await test.clock.advanceAsync(2000);
    expect(test.looks).toEqual([]);
    test.pauses.set([]);
    await enteredAre(['1']);
  });

  it('goes on while one source or one sink is paused (RD5)', async () => {
    test.pauses.set(['source:rest', 'source:kafka', 'sink:postgres']);
    test.table.set('1', 'a');
    test.redriver.start();
    await enteredAre(['1']);
    expect(test.entered()).toEqual(['1']);
  });

  it('lets a letter go that waits for credits at a pause, and carries what is inside to its end (RD5)', async () => {
    test.table.set('1', 'a');
    test.redriver.start();
    await enteredAre(['1']);
    test.entry.hasCredits = false;
    test.table.set('2', 'b');
    await looked();
    await until(() => test.redriver.size === 2);
    test.pauses.set(['pipeline']);
    await until(() => test.redriver.size === 1);
    test.entry.hasCredits = true;
    await test.clock.advanceAsync(2000);
    expect(test.entered()).toEqual(['1']);
    test.table.delete('1');
    test.settle('a');
    test.pauses.set([]);
    await enteredAre(['1', '2']);
  });

  it('carries a letter once at a time, and one letter of a record (RD1)', async () => {
    test.table.set('1', 'a').set('2', 'a');
    test.redriver.start();
    await enteredAre(['1']);
    await looked();
    await looked();
    expect(test.entered()).toEqual(['1']);
    test.table.delete('1');
    test.settle('a');
    await enteredAre(['1', '2']);
  });

  it('waits for a record that is in flight without a letter (RD1)', async () => {
    test.inFlight.add([makeRecord({ id: 'a' })]);
    test.table.set('1', 'a');
    test.redriver.start();
    await looked();
    expect(test.entered()).toEqual([]);
    test.inFlight.settle([test.inFlight.get('a')!]);
    await looked();
    await enteredAre(['1']);
  });

  it('takes up again what is still to be sent after its end was told (RD2)', async () => {
    test.table.set('1', 'a');
    test.redriver.start();
    await enteredAre(['1']);
    // Died again, and an operator asked once more.
    test.settle('a');
    await enteredAre(['1', '1']);
    expect(test.redriver.size).toBe(1);
  });

  it('has at most 16 under way (RD3)', async () => {
    for (let i = 1; i <= 20; i += 1) test.table.set(String(i), `record ${i}`);
    test.redriver.start();
    await until(() => test.entered().length === 16);
    await test.clock.advanceAsync(2000);
    expect(test.redriver.size).toBe(16);
    expect(test.store.counts.free).toBe(100 + 16);
    test.table.delete('1');
    test.settle('record 1');
    await until(() => test.entered().length === 17);
    expect(test.redriver.size).toBe(16);
  });

  it('reads a payload only when credits are there, and gives them back for a letter that is gone (RD3)', async () => {
    test.entry.hasCredits = false;
    test.table.set('1', 'a');
    test.redriver.start();
    await until(() => test.redriver.size === 1);
    test.table.delete('1');
    test.entry.hasCredits = true;
    await until(async () => {
      await test.clock.advanceAsync(50);
      return test.entry.released === 1;
    });
    expect(test.entered()).toEqual([]);
    expect(test.redriver.size).toBe(0);
  });

  it('lets go of what waits for credits when the ledger closes', async () => {
    test.entry.hasCredits = false;
    test.table.set('1', 'a');
    test.redriver.start();
    await until(() => test.redriver.size === 1);
    test.close();
    await until(() => test.redriver.size === 0);
    test.entry.hasCredits = true;
    test.open();
    await enteredAre(['1']);
    expect(test.entry.released).toBe(0);
  });

  it('does not try a letter again that was left, or could not be taken in, before the ledger opens anew (RD4)', async () => {
    test.table.set('1', 'a').set('2', 'b');
    test.redriver.start();
    await enteredAre(['1', '2']);
    test.settle('a', 'left');
    test.table.delete('2');
    test.settle('b');
    test.entry.failure = new Error('no JSON');
    test.table.set('3', 'c');
    await looked();
    await until(() => test.redriver.size === 0);
    await looked();
    test.entry.failure = undefined;
    await looked();
    expect(test.entered()).toEqual(['1', '2']);
    test.close();
    test.open();
    await until(() => test.entered().length === 4);
    expect(test.entered().slice(2).toSorted()).toEqual(['1', '3']);
  });

  it('takes up nothing once the drain has begun', async () => {
    test.redriver.start();
    await until(() => test.looks.length === 1);
    await test.redriver.drain();
    test.table.set('1', 'a');
    test.store.events.emit('redrive', 1);
    await test.clock.advanceAsync(2000);
    expect(test.entered()).toEqual([]);
  });
});
