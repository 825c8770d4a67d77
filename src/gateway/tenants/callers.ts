import { Injectable } from '@nestjs/common';
import { IngestTokens } from './ingest-tokens.js';
import type { HeaderFields } from '../request-headers.js';
import type { TenantQuota } from './tenant-quota.js';
import { TenantQuotas } from './tenant-quotas.js';

/** Who calls, and what that tenant may have. */
@Injectable()
export class Callers {
  constructor(
    private readonly tokens: IngestTokens,
    private readonly quotas: TenantQuotas,
  ) {}

  /** Throws as IngestTokens. */
  tenantOf(headers: HeaderFields): string {
    return this.tokens.tenantOf(headers);
  }

  /** Undefined for a tenant without a rule. */
  quotaOf(tenant: string): TenantQuota | undefined {
    return this.quotas.of(tenant);
  }
}
