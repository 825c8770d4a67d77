import type { ClientConfig } from 'pg';
import { CONNECT_TIMEOUT_MS } from './data-source.js';
import type { TlsSettings } from './tls.js';

const KEEP_ALIVE_AFTER_MS = 5_000;

/** The settings of a `pg` client of our own; `options` go to the server with the connection. */
export function connectionConfig(settings: {
  readonly url: string;
  readonly ssl: TlsSettings;
  readonly applicationName: string;
}): ClientConfig {
  return {
    connectionString: settings.url,
    ssl: settings.ssl,
    application_name: settings.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
  };
}
