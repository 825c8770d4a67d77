import { FakeClock } from '../../../test/support/fake-clock.js';
import { Trigger, type TriggerChange } from './trigger.js';

function triggerWith(raisedWhen: 'reached' | 'exceeded', threshold = 0.7) {
  const clock = new FakeClock();
  const raised: TriggerChange[] = [];
  const cleared: TriggerChange[] = [];
  const trigger = new Trigger({
    stage: 'Gateway',
    signal: 'queue',
    threshold,
    raisedWhen,
    intervalMs: 2000,
    clock,
    onRaised: (change) => raised.push(change),
    onCleared: (change) => cleared.push(change),
  });
  return { clock, raised, cleared, trigger };
}

describe('Trigger', () => {
  it('is raised at its threshold, keeps above 90 % of it and clears there', () => {
    const { trigger, raised, cleared } = triggerWith('reached');
    trigger.update(0.69);
    expect(trigger.isRaised).toBe(false);
    trigger.update(0.7);
    expect(trigger.isRaised).toBe(true);
    trigger.update(0.64);
    expect(trigger.isRaised).toBe(true);
    trigger.update(0.63);
    expect(trigger.isRaised).toBe(false);
    expect(raised).toEqual([{ stage: 'Gateway', signal: 'queue', value: 0.7, threshold: 0.7 }]);
    expect(cleared).toEqual([{ stage: 'Gateway', signal: 'queue', value: 0.63, threshold: 0.7 }]);
  });

  it('takes another threshold, and clears at 90 % of that one', () => {
    const { trigger, raised } = triggerWith('reached');
    trigger.update(0.5);
    trigger.moveTo(0.5);
    trigger.update(0.5);
    expect(raised).toEqual([{ stage: 'Gateway', signal: 'queue', value: 0.5, threshold: 0.5 }]);
    trigger.update(0.46);
    expect(trigger.isRaised).toBe(true);
    trigger.update(0.45);
    expect(trigger.isRaised).toBe(false);
  });

  it('is raised only above its threshold where that is the configured number of calls', () => {
    const { trigger } = triggerWith('exceeded', 0.9);
    trigger.update(45 / 50);
    expect(trigger.isRaised).toBe(false);
    trigger.update(46 / 50);
    expect(trigger.isRaised).toBe(true);
  });

  it('tells of one crossing per interval, and clears silently what it did not tell', () => {
    const { trigger, raised, cleared, clock } = triggerWith('reached');
    for (let i = 0; i < 5; i += 1) {
      trigger.update(1);
      expect(trigger.isRaised).toBe(true);
      trigger.update(0);
      clock.advance(300);
    }
    expect([raised.length, cleared.length]).toEqual([1, 1]);
    clock.advance(500);
    trigger.update(1);
    expect(raised).toHaveLength(2);
  });
});
