import { Pauses } from './pauses.js';

describe('Pauses', () => {
  it('takes the pause of the pipeline for one of every source, and of no sink (PS1)', () => {
    const pauses = new Pauses();
    pauses.set(['pipeline']);
    expect(pauses.isSourcePaused('rest')).toBe(true);
    expect(pauses.isSourcePaused('kafka')).toBe(true);
    expect(pauses.isSinkPaused('postgres')).toBe(false);
  });

  it('pauses one source or one sink alone', () => {
    const pauses = new Pauses();
    pauses.set(['sink:postgres', 'source:rest']);
    expect(pauses.isSourcePaused('rest')).toBe(true);
    expect(pauses.isSourcePaused('kafka')).toBe(false);
    expect(pauses.isSinkPaused('postgres')).toBe(true);
    expect(pauses.isPipelinePaused).toBe(false);
    expect(pauses.all()).toEqual(['sink:postgres', 'source:rest']);
  });

  it('pauses everything as long as nobody knows what is paused (PS2)', () => {
    const pauses = new Pauses();
    let changes = 0;
    pauses.onChange(() => (changes += 1));
    pauses.holdUntilKnown();
    pauses.holdUntilKnown();
    expect([pauses.isSourcePaused('rest'), pauses.isSinkPaused('postgres')]).toEqual([true, true]);
    pauses.set([]);
    expect([pauses.isSourcePaused('rest'), pauses.isSinkPaused('postgres')]).toEqual([
      false,
      false,
    ]);
    expect(changes).toBe(2);
  });

  it('knows the sinks that listen, and tells each of its own pause', () => {
    const pauses = new Pauses();
    const heard: string[] = [];
    pauses.onSink('kafka', (isPaused) => heard.push(`kafka ${isPaused}`));
    pauses.onSink('postgres', (isPaused) => heard.push(`postgres ${isPaused}`));
    pauses.set(['sink:kafka']);
    pauses.set(['sink:kafka', 'pipeline']);
    pauses.set(['pipeline']);
    expect(heard).toEqual(['kafka true', 'kafka false']);
    expect(pauses.sinks()).toEqual(['kafka', 'postgres']);
  });

  it('tells of a change when it holds, and of nothing else (PS3)', () => {
    const pauses = new Pauses();
    const heard: boolean[] = [];
    pauses.onChange(() => heard.push(pauses.isPipelinePaused));
    pauses.set([]);
    pauses.set(['pipeline']);
    pauses.set(['pipeline']);
    pauses.set([]);
    expect(heard).toEqual([true, false]);
  });
});
