/** Secrets of Standard Webhooks: `whsec_` and the base64 of the key, 24 to 64 bytes. */
const SECRET = /^whsec_([A-Za-z0-9+/]+={0,2})$/;
const MIN_KEY_BYTES = 24;
const MAX_KEY_BYTES = 64;
/** The one in use, and the one that it replaces or is replaced by. */
const MAX_SECRETS = 2;

/** Reads one secret, or two separated by a comma or a space. Undefined when it is anything else. */
export function webhookKeys(text: string): readonly Buffer[] | undefined {
  const secrets = text.split(/[\s,]+/).filter((secret) => secret !== '');
  const keys = secrets.flatMap((secret) => keyOf(secret) ?? []);
  const isRight = keys.length === secrets.length && keys.length >= 1 && keys.length <= MAX_SECRETS;
  return isRight ? keys : undefined;
}

export function areWebhookSecrets(text: string): boolean {
  return webhookKeys(text) !== undefined;
}

function keyOf(secret: string): Buffer | undefined {
  const base64 = SECRET.exec(secret)?.[1];
  if (base64 === undefined) return undefined;
  const key = Buffer.from(base64, 'base64');
  const canonical = key.toString('base64');
  const isWhole = base64 === canonical || base64 === canonical.replace(/=+$/, '');
  return isWhole && key.length >= MIN_KEY_BYTES && key.length <= MAX_KEY_BYTES ? key : undefined;
}
