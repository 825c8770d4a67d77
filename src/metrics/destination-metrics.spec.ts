import { register } from 'prom-client';
import { FakeClock } from '../../test/support/fake-clock.js';
import { makeGuard } from '../../test/support/guard.js';
import { makeRecord } from '../../test/support/ledger.js';
import { noAttempts } from '../pipeline/destination/retry-policy.js';
import { Destinations } from '../pipeline/destination/destinations.js';
import { DestinationMetrics } from './destination-metrics.js';

describe('DestinationMetrics', () => {
  const clock = new FakeClock();
  const guard = makeGuard({ clock, maxAbandoned: 10 });
  let metrics: DestinationMetrics;

  beforeAll(() => {
    register.clear();
    const destinations = new Destinations();
    destinations.add(() => {
      return { name: 'egress', kind: 'egress', ...guard.condition(), guard: guard.snapshot() };
    });
    metrics = new DestinationMetrics(destinations);
  });

  /** The samples of one metric that are not 0. */
  const samplesOf = async (name: string): Promise<string[]> =>
    (await register.metrics())
      .split('\n')
      .filter((line) => line.startsWith(`pipeline_destination_${name}{`) && !line.endsWith(' 0'))
      .map((line) => line.slice(`pipeline_destination_${name}`.length));

  it('shows a destination that is ready', async () => {
    expect(metrics).toBeDefined();
    expect(await samplesOf('ready')).toEqual(['{destination="egress"} 1']);
    expect(await samplesOf('breaker_state')).toEqual(['{destination="egress",state="closed"} 1']);
    expect(await samplesOf('retry_budget')).toEqual(['{destination="egress"} 30']);
  });

  it('counts calls by outcome and times them', async () => {
    const call = guard.tryCall()!;
    clock.advance(300);
    call.succeeded();
    guard.tryCall()!.failed({ kind: 'retryable', message: 'x', isTimeout: true });
    expect(await samplesOf('calls_total')).toEqual([
      '{destination="egress",outcome="succeeded"} 1',
      '{destination="egress",outcome="timeout"} 1',
    ]);
    expect(await samplesOf('call_seconds_count')).toEqual(['{destination="egress"} 2']);
    expect(await samplesOf('call_seconds_sum')).toEqual(['{destination="egress"} 0.3']);
  });

  it('counts failed attempts by what followed', async () => {
    const attempts = noAttempts(makeRecord());
    guard.begin(attempts);
    guard.failed(attempts, { kind: 'outage', message: 'x' });
    guard.failed(attempts, { kind: 'retryable', message: 'x' });
    guard.failed(attempts, { kind: 'final', message: 'x' });
    expect(await samplesOf('failed_attempts_total')).toEqual([
      '{destination="egress",outcome="retried"} 1',
      '{destination="egress",outcome="held-outage"} 1',
      '{destination="egress",outcome="rejected"} 1',
    ]);
    expect(await samplesOf('retry_budget')).toEqual(['{destination="egress"} 29']);
  });

  it('shows a closed gate, abandoned calls in and out, and an open breaker', async () => {
    const busy = { kind: 'busy', message: 'x', retryAfterMs: 4000 } as const;
    guard.failed(noAttempts(makeRecord()), busy);
    expect(await samplesOf('gate_closed_seconds')).toEqual(['{destination="egress"} 4']);
    clock.advance(4000);
    guard.abandon();
    guard.abandon();
    guard.reclaim();
    expect(await samplesOf('abandoned_calls')).toEqual(['{destination="egress"} 1']);
    expect(await samplesOf('abandoned_calls_total')).toEqual(['{destination="egress"} 2']);
    expect(await samplesOf('abandoned_calls_ended_total')).toEqual(['{destination="egress"} 1']);
    for (let i = 0; i < 20; i += 1) guard.tryCall()?.failed({ kind: 'outage', message: 'x' });
    expect(await samplesOf('breaker_state')).toEqual(['{destination="egress",state="open"} 1']);
    expect(await samplesOf('breaker_opened_total')).toEqual(['{destination="egress"} 1']);
    expect(await samplesOf('ready')).toEqual([]);
  });
});
