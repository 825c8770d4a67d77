import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { DatabaseOptions } from './database.options.js';

/** What `pg` takes as its `ssl` setting. */
export type TlsSettings = false | Pick<ConnectionOptions, 'rejectUnauthorized' | 'ca'>;

/** Turns the options into TLS settings; reads the CA file, and throws its error when it is missing. */
export function tlsSettings(
  options: Pick<DatabaseOptions, 'databaseSsl' | 'databaseSslCa'>,
): TlsSettings {
  if (options.databaseSsl === 'off') return false;
  if (options.databaseSsl === 'require') return { rejectUnauthorized: false };
  return options.databaseSslCa === undefined
    ? { rejectUnauthorized: true }
    : { rejectUnauthorized: true, ca: readFileSync(options.databaseSslCa, 'utf8') };
}
