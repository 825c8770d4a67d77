import { type DatabaseOptions, databaseOptions } from '../../src/database/database.options.js';

/** The options of a service without DATABASE_URL. */
export function embeddedOptions(dataDir: string): DatabaseOptions {
  return databaseOptions.schema.parse({ dataDir });
}
