/** A valid payload of the example pipeline. */
export function order(customerId: string, sequence: number): Record<string, unknown> {
  return {
    orderId: `order-${customerId}-${sequence}`,
    customerId,
    currency: 'EUR',
    placedAt: '2026-01-01T12:00:00Z',
    items: [{ sku: 'A-1', quantity: 1 + (sequence % 5), unitPrice: 9.5 }],
  };
}
