import type { PipelineRecord } from '../pipeline/record.js';
import { RunningKeys } from './running-keys.js';

const fingerprint = Buffer.alloc(32);
const recordOf = (key?: string, tenant = 'default'): PipelineRecord =>
  ({ tenant, idempotencyKey: key === undefined ? undefined : { key, fingerprint } }) as never;

describe('RunningKeys', () => {
  it('holds records back whose key runs, until it has ended', () => {
    const running = new RunningKeys();
    const [first, second] = [recordOf('a'), recordOf('a')];
    expect(running.begin([first]).size).toBe(0);
    expect([...running.begin([second])]).toEqual([second]);
    running.end([first]);
    expect(running.begin([second]).size).toBe(0);
  });

  it('holds the later one of two neighbours with one key back', () => {
    const [first, second, other] = [recordOf('a'), recordOf('a'), recordOf('b')];
    expect([...new RunningKeys().begin([first, second, other])]).toEqual([second]);
  });

  it('keeps the keys of tenants apart, and passes records without one', () => {
    const running = new RunningKeys();
    expect(running.begin([recordOf('a'), recordOf('a', 'acme'), recordOf(), recordOf()]).size).toBe(
      0,
    );
  });
});
