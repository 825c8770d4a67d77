import { order } from '../../support/orders.js';

const CUSTOMERS = 1000;
const ITEMS = 4;
/** Bodies that the generator sends in turn. */
const BATCHES = 8;

type Payload = Readonly<Record<string, unknown>> & { readonly customerId: string };

/** An order of about 300 bytes. */
function payloadOf(n: number): Payload {
  const customerId = String(n % CUSTOMERS);
  const items = Array.from({ length: ITEMS }, (_, i) => ({
    sku: `SKU-${(n + i) % 100}`,
    quantity: 1 + ((n + i) % 5),
    unitPrice: 9.5,
  }));
  return { ...order(customerId, n), customerId, items };
}

/** One record as a sender writes it. */
function recordOf(n: number): string {
  return JSON.stringify({ payload: payloadOf(n) });
}

/** `count` payloads from number `from` on. */
export function recordsOf(from: number, count: number): Payload[] {
  return Array.from({ length: count }, (_, i) => payloadOf(from + i));
}

export function singleBodies(): string[] {
  return Array.from({ length: CUSTOMERS }, (_, n) => recordOf(n));
}

/** NDJSON with so many lines each. */
export function batchBodies(lines: number): string[] {
  return Array.from({ length: BATCHES }, (_, batch) =>
    Array.from({ length: lines }, (_, line) => recordOf(batch * lines + line)).join('\n'),
  );
}
