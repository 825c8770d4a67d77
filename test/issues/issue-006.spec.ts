import { getMaxListeners } from 'node:events';
import { IntakeContext } from '../../src/gateway/intake-context.js';
import { ENVELOPE } from '../../src/gateway/record-form.js';
import { RecordRate } from '../../src/gateway/tenants/record-rate.js';
import { FakeClock } from '../support/fake-clock.js';

describe('the signal of a request', () => {
  it('takes a listener for every record of a batch that waits, without a warning of Node', () => {
    const clock = new FakeClock();
    const rate = new RecordRate({ ratePerSecond: 0, clock, signal: 'rate', owner: 'The rate' });
    const request = { tenant: 'default', rate, quota: undefined, priority: undefined };
    const { signal } = new IntakeContext({
      ...request,
      isStream: false,
      form: ENVELOPE,
      expiresAtMs: Infinity,
    });
    expect(getMaxListeners(signal)).toBe(Infinity);
  });
});
