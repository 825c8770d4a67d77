/** The environment variable of a setting: `('INGRESS', 'bufferSize')` → `INGRESS_BUFFER_SIZE`. */
export function environmentName(prefix: string, key: string): string {
  const snake = key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  return prefix === '' ? snake : `${prefix}_${snake}`;
}
