import { Inject, Injectable } from '@nestjs/common';
import { SERVICE_OPTIONS, type ServiceOptions } from '../../config/service.options.js';
import { OTHER_TENANTS, readTenantsFile, type TenantRule } from '../../config/tenants-file.js';
import { InFlight } from '../../pipeline/in-flight.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import { GatewayLimits } from '../gateway.limits.js';
import { RecordRate } from './record-rate.js';
import { TenantQuota } from './tenant-quota.js';

/** Tenants that are remembered; the one that has been silent longest is forgotten first. */
export const MOST_TENANTS = 10_000;

/**
 * The quotas of TENANTS_FILE, one a tenant that has been seen.
 *
 * TS1 at most `MOST_TENANTS` quotas are kept, and one more for each tenant beyond that has records in flight: those are
 *     bounded by the pipeline's credits. A tenant that was forgotten begins with a whole burst.
 * TS2 the place of an accepted record comes back at its end, or when it is left to the journal.
 */
@Injectable()
export class TenantQuotas {
  /** Least recently seen first. */
  private readonly quotas = new Map<string, TenantQuota>();
  private readonly rules: ReadonlyMap<string, TenantRule>;

  constructor(
    @Inject(SERVICE_OPTIONS) { tenantsFile }: ServiceOptions,
    private readonly limits: GatewayLimits,
    inFlight: InFlight,
  ) {
    this.rules = tenantsFile === undefined ? new Map() : readTenantsFile(tenantsFile).rules;
    if (this.rules.size === 0) return;
    inFlight.watch({
      resumed: (records) => this.each(records, (quota) => quota.resume(1)),
      settled: (records) => this.each(records, (quota) => quota.leave(1)),
    });
  }

  get size(): number {
    return this.quotas.size;
  }

  /** Undefined for a tenant without a rule. */
  of(tenant: string): TenantQuota | undefined {
    if (this.rules.size === 0) return undefined;
    const rule = this.rules.get(tenant) ?? this.rules.get(OTHER_TENANTS);
    if (rule === undefined) return undefined;
    const quota = this.quotas.get(tenant) ?? this.make(tenant, rule);
    this.quotas.delete(tenant);
    this.quotas.set(tenant, quota);
    if (this.quotas.size > MOST_TENANTS) this.forgetOne();
    return quota;
  }

  private make(tenant: string, rule: TenantRule): TenantQuota {
    const { ratePerSecond } = rule;
    const outer = this.limits.rate;
    if (ratePerSecond === undefined) return new TenantQuota(tenant, rule, outer);
    const { clock } = this.limits.runtime;
    const owner = `The rate of the tenant ${tenant}`;
    const rate = new RecordRate({ ratePerSecond, clock, signal: 'tenant-rate', owner, outer });
    return new TenantQuota(tenant, rule, rate);
  }

  private forgetOne(): void {
    for (const [tenant, quota] of this.quotas) {
      if (quota.inFlight > 0) continue;
      this.quotas.delete(tenant);
      return;
    }
  }

  /** What Kafka brings belongs to no tenant. */
  private each(records: readonly PipelineRecord[], change: (quota: TenantQuota) => void): void {
    for (const { source, tenant } of records) {
      const quota = source === 'rest' ? this.of(tenant) : undefined;
      if (quota !== undefined) change(quota);
    }
  }
}
