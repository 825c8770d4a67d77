import { hostname } from 'node:os';
import type { ServiceOptions } from './service.options.js';

/** The name of this replica: INSTANCE_ID, or host name and port. */
export function instanceOf({ instanceId, port }: ServiceOptions): string {
  return instanceId ?? `${hostname()}:${port}`;
}
