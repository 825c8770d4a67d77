import { EventEmitter } from 'node:events';
import { type SignalSource, type StopSignal, StopSignals } from './stop-signals.js';

class FakeProcess extends EventEmitter {
  readonly pid = 42;
  readonly killed: string[] = [];

  kill(pid: number, signal: StopSignal): void {
    this.killed.push(`${signal} to ${pid}`);
  }
}

function setUp() {
  const source = new FakeProcess();
  const seconds: StopSignal[] = [];
  let nowMs = 0;
  const signals = new StopSignals(
    source as SignalSource,
    (signal) => seconds.push(signal),
    () => nowMs,
  );
  const send = (signal: StopSignal, atMs: number): void => {
    nowMs = atMs;
    source.emit(signal, signal);
  };
  const hooked: unknown[] = [];
  const app = { enableShutdownHooks: (...given: unknown[]) => hooked.push(given) as never };
  return { source, seconds, signals, send, hooked, app };
}

describe('StopSignals', () => {
  it('gives the signals to the application, which exits with 0 after its drain', () => {
    const { signals, hooked, app, source } = setUp();
    signals.handTo(app);
    expect(hooked).toEqual([[['SIGTERM', 'SIGINT'], { useProcessExit: true }]]);
    expect(source.killed).toEqual([]);
  });

  it('keeps a signal that comes during the start until there is something to drain', () => {
    const { signals, send, app, source } = setUp();
    send('SIGTERM', 5);
    signals.handTo(app);
    expect(source.killed).toEqual(['SIGTERM to 42']);
  });

  it('ends at once at a second signal more than a second later', () => {
    const { send, seconds } = setUp();
    send('SIGTERM', 0);
    send('SIGINT', 1000);
    expect(seconds).toEqual(['SIGINT']);
  });

  it('takes two signals within a second for one wish, as Ctrl-C under npm sends them', () => {
    const { send, seconds } = setUp();
    send('SIGINT', 0);
    send('SIGINT', 999);
    expect(seconds).toEqual([]);
  });
});
