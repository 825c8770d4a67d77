import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackPressureController } from '../../../libs/back-pressure/src/index.js';
import { backPressureOptions, stagesWith } from '../../../test/support/back-pressure.js';
import { FakeClock } from '../../../test/support/fake-clock.js';
import { makeRecord } from '../../../test/support/ledger.js';
import { temporaryFolder } from '../../../test/support/service.js';
import { boundsOptions } from '../../config/bounds.options.js';
import { serviceOptions } from '../../config/service.options.js';
import { InFlight } from '../../pipeline/in-flight.js';
import { StageRuntime } from '../../pipeline/stage-runtime.js';
import { GatewayLimits } from '../gateway.limits.js';
import { gatewayOptions } from '../gateway.options.js';
import { MOST_TENANTS, TenantQuotas } from './tenant-quotas.js';

describe('TenantQuotas', () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  const inFlight = new InFlight();

  function quotasOf(tenants: object): TenantQuotas {
    const tenantsFile = join(folder.path, 'tenants.json');
    writeFileSync(tenantsFile, JSON.stringify(tenants));
    const clock = new FakeClock();
    const controller = new BackPressureController(
      backPressureOptions({ clock, stages: stagesWith({}) }),
    );
    const limits = new GatewayLimits(
      gatewayOptions.schema.parse({ maxRequestsPerSecond: 0 }),
      boundsOptions.schema.parse({}),
      new StageRuntime(controller, clock, () => 0),
    );
    const options = { ...serviceOptions.schema.parse({}), tenantsFile };
    return new TenantQuotas(options, limits, inFlight);
  }

  it('forgets the tenant that was silent longest when there are too many (TS1)', () => {
    const quotas = quotasOf({ '*': { ratePerSecond: 1 } });
    for (let i = 0; i < MOST_TENANTS; i += 1) quotas.of(`tenant-${i}`)!.rate.take();
    const first = quotas.of('tenant-0');
    const second = quotas.of('tenant-1');
    quotas.of('tenant-2');
    quotas.of('one-more');
    expect(quotas.size).toBe(MOST_TENANTS);
    expect(quotas.of('tenant-1')).toBe(second);
    expect(quotas.of('tenant-0')).toBe(first);
    expect(first!.rate.take()).toBeDefined();
    // It begins with a whole burst.
    expect(quotas.of('tenant-3')!.rate.take()).toBeUndefined();
  });

  it('keeps a tenant that has records in flight (TS1)', () => {
    const quotas = quotasOf({ '*': { maxInFlight: 1 } });
    const busy = quotas.of('busy')!;
    busy.takePlaces(1);
    for (let i = 0; i < MOST_TENANTS + 10; i += 1) quotas.of(`tenant-${i}`);
    expect(quotas.of('busy')).toBe(busy);
    expect(quotas.size).toBe(MOST_TENANTS);
  });

  it('counts records that an earlier run accepted, and gives places back at the end (TS2)', () => {
    const quotas = quotasOf({ acme: { maxInFlight: 1 } });
    const resumed = makeRecord({ tenant: 'acme' });
    inFlight.resume([resumed]);
    const quota = quotas.of('acme')!;
    expect(quota.takePlaces(1)).toBe(0);
    const kafka = makeRecord({ tenant: 'acme', source: 'kafka' });
    inFlight.add([kafka]);
    inFlight.settle([resumed, kafka]);
    expect(quota.inFlight).toBe(0);
    expect(quota.takePlaces(5)).toBe(1);
  });
});
