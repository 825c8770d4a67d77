import { register } from 'prom-client';
import { makeGuard } from '../../test/support/guard.js';
import { Destinations } from '../pipeline/destination/destinations.js';
import { BestEffortMetrics } from './best-effort-metrics.js';

describe('BestEffortMetrics', () => {
  it('count what became of the records for each sink that is not required, and for no other', async () => {
    register.clear();
    const destinations = new Destinations();
    expect(new BestEffortMetrics(destinations)).toBeDefined();
    const status = {
      kind: 'sink',
      guard: makeGuard().snapshot(),
      state: 'ready',
      detail: undefined,
    } as const;
    destinations.add(() => ({ ...status, name: 'kafka' }));
    const bestEffort = { delivered: 1, skipped: 2, givenUp: 3 };
    destinations.add(() => ({ ...status, name: 'audit', bestEffort }));
    const lines = (await register.metrics()).split('\n').filter((line) => /^[^#]/.test(line));
    expect(lines).toEqual([
      'pipeline_best_effort_records_total{destination="audit",outcome="delivered"} 1',
      'pipeline_best_effort_records_total{destination="audit",outcome="given-up"} 3',
      'pipeline_best_effort_records_total{destination="audit",outcome="skipped"} 2',
    ]);
  });
});
