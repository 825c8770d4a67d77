import { createHmac } from 'node:crypto';

/** What is signed: a record, the moment of the attempt, and the bytes that are sent. */
export interface SignedMessage {
  /** The same at every attempt. */
  readonly id: string;
  /** Whole seconds since the epoch. */
  readonly timestamp: number;
  readonly body: Buffer;
}

const MS_PER_SECOND = 1000;

export function webhookTimestamp(wallMs: number): number {
  return Math.floor(wallMs / MS_PER_SECOND);
}

/**
 * The headers of Standard Webhooks (https://www.standardwebhooks.com): one signature for each key, so that a receiver that
 * knows either of two finds its own. `penstock-key` is beside them; it is not signed.
 */
export function webhookHeaders(
  { id, timestamp, body }: SignedMessage,
  keys: readonly Buffer[],
): Readonly<Record<string, string>> {
  const signatures = keys.map((key) => {
    const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body);
    return `v1,${hmac.digest('base64')}`;
  });
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatures.join(' '),
  };
}
