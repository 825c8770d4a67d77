import { isTableName, quotedTable } from './sink-table.js';

describe('SINK_TABLE', () => {
  it('quotes a plain and a schema-qualified name', () => {
    expect(quotedTable('delivered')).toBe('"delivered"');
    expect(quotedTable('sales.Orders_2026')).toBe('"sales"."Orders_2026"');
    expect(isTableName('delivered')).toBe(true);
  });

  it.each([
    '',
    'a.b.c',
    'a b',
    '1a',
    'a"; DROP TABLE journal; --',
    "a'",
    '.a',
    'a.',
    'x'.repeat(64),
  ])('refuses %j', (name) => {
    expect(isTableName(name)).toBe(false);
    expect(() => quotedTable(name)).toThrow(RangeError);
  });
});
