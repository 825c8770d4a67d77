import { z } from 'zod';
import { definePipeline } from '../src/pipeline/definition.js';

const Item = z.object({
  sku: z.string().min(1).max(64),
  quantity: z.int().min(1).max(10_000),
  /** In units of the currency, at most two decimals. */
  unitPrice: z.number().nonnegative().multipleOf(0.01),
});

/** An order as shops send it. */
export const Order = z.object({
  orderId: z.string().min(1).max(100),
  customerId: z.string().min(1).max(100),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR'),
  placedAt: z.iso.datetime({ offset: true }),
  items: z.array(Item).min(1).max(500),
  /** Sent by shops that try out their checkout. */
  isTest: z.boolean().optional(),
});
export type Order = z.infer<typeof Order>;

/** Prices are added in cents: sums of decimals are off by a fraction of one. */
export function totalOf(items: Order['items']): number {
  const cents = items.reduce(
    (sum, { quantity, unitPrice }) => sum + quantity * Math.round(unitPrice * 100),
    0,
  );
  return cents / 100;
}

/** The example that runs by default: orders, in order per customer, with their total; test orders end here. */
export default definePipeline({
  name: 'orders',
  schema: Order,
  key: (order) => order.customerId,
  preprocess: (order, { discard }) =>
    order.isTest === true ? discard('test order') : { ...order, total: totalOf(order.items) },
});
