import { Intake } from './intake.js';
import { SourceGate } from './source-gate.js';
import { StageRuntime } from './stage-runtime.js';

function setUp() {
  const runtime = new StageRuntime(undefined as never, undefined as never, Math.random);
  const intake = new Intake();
  intake.open('starting');
  const paused = new Set<string>();
  const source = {
    pause: (reason: string) => void paused.add(reason),
    resume: (reason: string) => void paused.delete(reason),
  };
  new SourceGate(runtime, intake, source);
  return { pauses: runtime.pauses, intake, paused };
}

describe('SourceGate', () => {
  it('closes REST and stops fetching from Kafka while the pipeline is paused', () => {
    const { pauses, intake, paused } = setUp();
    pauses.set(['pipeline']);
    expect(intake.closed).toMatchObject({
      reason: 'paused',
      detail: expect.stringContaining('the pipeline'),
    });
    expect([...paused]).toEqual(['operator']);
    pauses.set([]);
    expect(intake.closed).toBeUndefined();
    expect([...paused]).toEqual([]);
  });

  it('pauses one source and lets the other one bring records', () => {
    const { pauses, intake, paused } = setUp();
    pauses.set(['source:kafka']);
    expect(intake.closed).toBeUndefined();
    expect([...paused]).toEqual(['operator']);
    pauses.set(['source:rest']);
    expect(intake.closed).toMatchObject({ detail: expect.stringContaining('by REST') });
    expect([...paused]).toEqual([]);
  });

  it('opens nothing that somebody else holds closed', () => {
    const { pauses, intake } = setUp();
    intake.close('database-away', 'gone');
    pauses.set(['pipeline']);
    expect(intake.closed).toMatchObject({ reason: 'database-away' });
    pauses.set([]);
    expect(intake.closed).toMatchObject({ reason: 'database-away' });
  });
});
