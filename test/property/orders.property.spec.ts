import fc from 'fast-check';
import { totalOf } from '../../pipelines/orders.pipeline.js';

describe('The total of an order', () => {
  it('is exact to the cent, whatever the prices', () => {
    const item = fc.record({
      sku: fc.constant('A-1'),
      quantity: fc.integer({ min: 1, max: 10_000 }),
      cents: fc.integer({ min: 0, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 50 }), (items) => {
        const expected = items.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0);
        const total = totalOf(
          items.map(({ cents, ...rest }) => ({ ...rest, unitPrice: cents / 100 })),
        );
        expect(Math.round(total * 100)).toBe(expected);
      }),
    );
  });
});
