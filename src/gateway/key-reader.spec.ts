import { KeyReader } from './key-reader.js';

describe('KeyReader', () => {
  const keyOf = (key: unknown, payload: unknown = 1): string | undefined => {
    const definition = { name: 'x', ...(key === undefined ? {} : { key: key as never }) };
    return new KeyReader(definition).keyOf({ key: 'own', payload } as never);
  };

  it('is the record’s own key when the pipeline computes none', () => {
    expect(keyOf(undefined)).toBe('own');
  });

  it('is the pipeline’s key otherwise, as text', () => {
    expect(keyOf(() => 'computed')).toBe('computed');
    expect(keyOf(() => 42)).toBe('42');
  });

  it('is none when the pipeline gives none or fails: KeyGen meets the same and answers for it', () => {
    expect(keyOf(() => undefined)).toBeUndefined();
    expect(keyOf(({ customer }: { customer: { id: string } }) => customer.id, {})).toBeUndefined();
  });
});
