import orders from '../../pipelines/orders.pipeline.js';
import { order } from '../../test/support/orders.js';
import { StageHarness } from '../../test/support/stage-harness.js';

describe('The example pipeline of orders', () => {
  const start = (): Promise<StageHarness> => new StageHarness({ definition: orders }).start();

  it('delivers an order with its total, in order per customer', async () => {
    const harness = await start();
    const [record] = await harness.accept([order('c-1', 1)]);
    await harness.advance();
    expect(record?.key).toBe('c-1');
    expect(JSON.parse(record?.body?.toString() ?? '')).toEqual({ ...order('c-1', 1), total: 19 });
    expect(harness.endOf(record!)).toBe('acknowledged');
  });

  it('discards test orders', async () => {
    const harness = await start();
    const [record] = await harness.accept([{ ...order('c-1', 1), isTest: true }]);
    expect(record?.verdict).toEqual({ kind: 'discarded', reason: 'test order' });
  });

  it.each([
    ['/items', { items: [] }],
    ['/items/0/quantity', { items: [{ sku: 'A-1', quantity: 0, unitPrice: 1 }] }],
    ['/items/0/unitPrice', { items: [{ sku: 'A-1', quantity: 1, unitPrice: 0.001 }] }],
    ['/currency', { currency: 'euro' }],
    ['/placedAt', { placedAt: 'yesterday' }],
    ['/customerId', { customerId: '' }],
  ])('refuses an order at %s', async (path, change) => {
    const harness = await start();
    const [record] = await harness.accept([{ ...order('c-1', 1), ...change }]);
    expect(record?.verdict).toMatchObject({ kind: 'invalid', issues: [{ path }] });
  });

  it('answers what is no order at all as invalid, though it has no customer to take the key from', async () => {
    const harness = await start();
    const records = await harness.accept([null, 'text', 7]);
    expect(records.map(({ verdict }) => verdict?.kind)).toEqual(['invalid', 'invalid', 'invalid']);
  });
});
