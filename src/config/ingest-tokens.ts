import { TENANT_NAME } from './tenant-name.js';

/** `b64token` of RFC 6750: what can follow `Bearer`. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/** Reads after "must be". */
export const INGEST_TOKENS_RULE = 'a comma list of tenant=token, each token only once';

/**
 * Reads INGEST_TOKENS (`acme=…,acme=…,globex=…`): the tenant of each token. A tenant may have several, so that one can be
 * replaced by another without a pause. Undefined when the text breaks the rule.
 */
export function parseIngestTokens(text: string): ReadonlyMap<string, string> | undefined {
  const tokens = new Map<string, string>();
  for (const entry of text.split(',')) {
    const at = entry.indexOf('=');
    const tenant = entry.slice(0, Math.max(0, at)).trim();
    const token = entry.slice(at + 1).trim();
    if (!TENANT_NAME.test(tenant) || !TOKEN.test(token) || tokens.has(token)) return undefined;
    tokens.set(token, tenant);
  }
  return tokens;
}
