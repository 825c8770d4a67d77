import { INGEST_TOKENS_RULE, parseIngestTokens } from './ingest-tokens.js';
import { choice, options, type OptionsOf, secret, text, wholeNumber } from './option.js';

/** `process.stdout` levels, most severe first. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export const serviceOptions = options('', {
  port: wholeNumber({ min: 0, max: 65_535 })
    .default(3000)
    .describe(
      'TCP port of the API, and of health, metrics and admin unless `ADMIN_PORT` is set. 0 takes a free one.',
    ),
  adminPort: wholeNumber({ min: 0, max: 65_535 })
    .optional()
    .describe(
      'TCP port of admin, health, metrics and the index page alone, which `PORT` then no longer serves. Unset: all on `PORT`.',
    ),
  host: text()
    .default('127.0.0.1')
    .describe('Address to listen on. Anything but the loopback asks for `ADMIN_TOKEN`.'),
  adminToken: secret()
    .optional()
    .describe('Bearer token of the admin API. Without it, admin answers on the loopback only.'),
  ingestTokens: secret()
    .refine((given) => parseIngestTokens(given) !== undefined, {
      message: `must be ${INGEST_TOKENS_RULE} (got a value not shown)`,
    })
    .optional()
    .describe(
      'Bearer tokens of record calls, `tenant=token,…`: a call needs one, and is of its tenant. Unset: no token is asked for.',
    ),
  tenantsFile: text()
    .optional()
    .describe(
      'JSON file with rate, records in flight and highest priority a tenant: see docs/rest.md.',
    ),
  instanceId: text()
    .optional()
    .describe('Name of this replica in the status. Unset: host name and port.'),
  logLevel: choice(LOG_LEVELS).default('info').describe('Least severe level that is logged.'),
  shutdownTimeoutMs: wholeNumber({ min: 1 })
    .default(25_000)
    .describe(
      'Longest time from SIGTERM to the end of the drain, in ms, the announcement included.',
    ),
  shutdownAnnounceMs: wholeNumber({ min: 0 })
    .default(0)
    .describe('Time between "not ready" and refusing records at SIGTERM, in ms.'),
  readinessPressurePolicy: choice(['never', 'sustained'])
    .default('never')
    .describe('Whether critical pressure that lasts 30 s makes the replica not ready.'),
});
export type ServiceOptions = OptionsOf<typeof serviceOptions>;
export const SERVICE_OPTIONS = Symbol('SERVICE_OPTIONS');

/** Whether only this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name);
}
