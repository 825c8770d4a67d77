import { choice, options, type OptionsOf, secret, text, wholeNumber } from '../config/option.js';

const POSTGRES_URL = /^postgres(ql)?:\/\/[^/]/;

/** A lease must outlive a lost renewal; it is renewed six times in its time. */
const MIN_LEASE_MS = 3_000;

export const databaseOptions = options('', {
  databaseUrl: secret()
    .refine((url) => POSTGRES_URL.test(url), 'must be a postgres:// URL (got a value not shown)')
    .optional()
    .describe('Your PostgreSQL, version 14 or newer; absent: an embedded one in DATA_DIR.'),
  databaseSsl: choice(['off', 'require', 'verify-full'])
    .default('off')
    .describe('TLS to DATABASE_URL: off, require (encrypted, server not verified), verify-full.'),
  databaseSslCa: text()
    .optional()
    .describe("Path of the CA certificate (PEM) for verify-full; absent: Node's own list."),
  dataDir: text()
    .default('.penstock')
    .describe('Folder of the embedded database, seen from the working directory.'),
  databasePoolSize: wholeNumber({ min: 1 })
    .default(10)
    .describe('Connections of the pool; the ledger and the control connection have their own.'),
  leaseMs: wholeNumber({ min: MIN_LEASE_MS })
    .default(15_000)
    .describe(
      'A replica that has not renewed for this long loses its partitions, in ms; at least 1.5 times the acknowledgment timeout.',
    ),
});

export type DatabaseOptions = OptionsOf<typeof databaseOptions>;
export const DATABASE_OPTIONS = Symbol('DATABASE_OPTIONS');
