import { order } from '../../support/orders.js';

const CUSTOMERS = 1000;
const ITEMS = 4;
/** Bodies that the generator sends in turn. */
const BATCHES = 8;

/** One record as a sender writes it, about 300 bytes. */
function recordOf(n: number): string {
  const payload = order(String(n % CUSTOMERS), n);
  const items = Array.from({ length: ITEMS }, (_, i) => ({
    sku: `SKU-${(n + i) % 100}`,
    quantity: 1 + ((n + i) % 5),
    unitPrice: 9.5,
  }));
  return JSON.stringify({ payload: { ...payload, items } });
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
