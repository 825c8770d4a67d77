import { createHmac, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { parseIngestTokens } from '../../config/ingest-tokens.js';
import { SERVICE_OPTIONS, type ServiceOptions } from '../../config/service.options.js';
import { RequestError } from '../request-error.js';
import { type HeaderFields, tenantOf } from '../request-headers.js';

const BEARER = /^Bearer +(\S+)$/i;
const KEY_BYTES = 32;

/**
 * Whose records a call brings or asks for: with INGEST_TOKENS the tenant of its bearer token, else the one it names.
 *
 * IT1 a token is compared by its keyed digest: how long that takes says nothing about a token that is right.
 */
@Injectable()
export class IngestTokens {
  private readonly key = randomBytes(KEY_BYTES);
  /** By digest; undefined when no token is asked for. */
  private readonly tenants: ReadonlyMap<string, string> | undefined;

  constructor(@Inject(SERVICE_OPTIONS) { ingestTokens }: ServiceOptions) {
    const tokens = ingestTokens === undefined ? undefined : parseIngestTokens(ingestTokens);
    if (tokens === undefined) return;
    this.tenants = new Map([...tokens].map(([token, tenant]) => [this.digest(token), tenant]));
  }

  /** Throws `unauthorized`, or `forbidden` when the call names another tenant than its token's; `malformed` for a bad name. */
  tenantOf(headers: HeaderFields): string {
    return this.tokenTenantOf(headers) ?? tenantOf(headers);
  }

  /** Undefined when no token is asked for: then every record may be looked up. Throws as `tenantOf`. */
  tokenTenantOf(headers: HeaderFields): string | undefined {
    if (this.tenants === undefined) return undefined;
    const tenant = this.tenantOfToken(this.tenants, headers['authorization']);
    if (headers['penstock-tenant'] === undefined || tenantOf(headers) === tenant) return tenant;
    throw new RequestError(
      'forbidden',
      'The token is of another tenant than Penstock-Tenant names.',
    );
  }

  private tenantOfToken(
    tenants: ReadonlyMap<string, string>,
    authorization: string | string[] | undefined,
  ): string {
    const token = BEARER.exec(String(authorization ?? ''))?.[1];
    if (token === undefined) {
      throw new RequestError('unauthorized', 'Record calls ask for a bearer token.');
    }
    const tenant = tenants.get(this.digest(token));
    if (tenant !== undefined) return tenant;
    throw new RequestError('unauthorized', 'The bearer token is not known.', {
      isTokenWrong: true,
    });
  }

  private digest(token: string): string {
    return createHmac('sha256', this.key).update(token).digest('base64');
  }
}
