import { FakeProbe } from '../../../test/support/back-pressure.js';
import { ProcessInputs } from './process-inputs.js';

function inputsWith(change: Partial<FakeProbe>): ProcessInputs {
  return new ProcessInputs(Object.assign(new FakeProbe(), change));
}

describe('ProcessInputs', () => {
  it('reads a process at rest as 0, though its raw ratios are not', () => {
    expect(inputsWith({ heap: 0.6, rss: 0.8, loopDelayMs: 40 }).read(0)).toEqual({
      memory: 0,
      network: 0,
      throttling: 0,
      residentMemory: 0,
    });
  });

  it('scales heap, resident memory and event-loop delay between their bounds', () => {
    expect(inputsWith({ heap: 0.825 }).read(0).memory).toBe(0.5);
    expect(inputsWith({ rss: 0.915 }).read(0).memory).toBe(0.5);
    expect(inputsWith({ loopDelayMs: 275 }).read(0).network).toBe(0.5);
  });

  it('takes the largest of its inputs, added ones and bytes in flight included', () => {
    const inputs = inputsWith({ heap: 0.75 });
    inputs.add('network', 'pool wait', () => 0.4);
    inputs.add('network', 'producer queue', () => 7);
    inputs.add('memory', 'journal', () => 0.3);
    expect(inputs.read(0.9)).toMatchObject({ memory: 0.9, network: 1, throttling: 1 });
    inputs.add('network', 'producer queue', () => 0.1);
    expect(inputs.read(0.1)).toMatchObject({ memory: 0.3, network: 0.4, throttling: 0.4 });
  });

  it('shows resident memory without throttling by it (L7)', () => {
    expect(inputsWith({ rss: 1 }).read(0)).toEqual({
      memory: 1,
      network: 0,
      throttling: 0,
      residentMemory: 1,
    });
  });
});
