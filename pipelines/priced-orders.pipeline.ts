import { from } from '../src/pipeline/from.js';
import { kafkaSink } from '../src/pipeline/sink-definition.js';
import { kafka, rest } from '../src/pipeline/source-definition.js';

/** What comes in is anybody's JSON until `isValid` has looked at it. */
export interface Order {
  readonly customerId: string;
  readonly items: readonly { readonly quantity: number; readonly unitPrice: number }[];
}

/** What a tax service would answer; the example asks none. */
const TAX_RATE = 0.19;

export function isValid(payload: unknown): payload is Order {
  const { customerId, items } = (payload ?? {}) as Partial<Order>;
  return typeof customerId === 'string' && Array.isArray(items) && items.length > 0;
}

/** In cents: sums of decimals are off by a fraction of one. */
export function price(order: Order): Order & { total: number } {
  const cents = order.items.reduce(
    (sum, { quantity, unitPrice }) => sum + quantity * Math.round(unitPrice * 100),
    0,
  );
  return { ...order, total: cents / 100 };
}

export function enrich<Priced extends { total: number }>(
  order: Priced,
): Promise<Priced & { tax: number }> {
  return Promise.resolve({ ...order, tax: Math.round(order.total * TAX_RATE * 100) / 100 });
}

/** The fluent form: orders from a topic and by REST, in order per customer, priced, enriched, to a topic. */
export default from(kafka('orders'), rest())
  .filter(isValid)
  .keyBy((order) => order.customerId)
  .map(price)
  .mapAsync(enrich, { timeoutMs: 10_000, capacity: 100 })
  .sinkTo(kafkaSink({ topic: 'orders-out' }));
