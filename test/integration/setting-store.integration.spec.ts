import { SettingStore } from '../../src/admin/setting-store.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { until } from '../support/until.js';

const BY = { by: 'admin-token@::1' };

describe('SettingStore', () => {
  let database: TestDatabase;
  let store: SettingStore;
  beforeAll(async () => {
    database = await createTestDatabase();
    store = new SettingStore(await database.dataSource());
  });
  afterAll(() => database.drop());
  beforeEach(() => database.pool.query('DELETE FROM setting'));

  const values = async () =>
    Object.fromEntries((await store.read()).map(({ name, value }) => [name, value]));

  it('keeps a change with who and when, and gives the next one what is in force', async () => {
    expect(await store.change('a', BY, () => ({ n: 1 }))).toBe(true);
    const seen: unknown[] = [];
    await store.change('a', { by: 'other' }, (current) => {
      seen.push(current);
      return { n: 2 };
    });
    expect(seen).toEqual([{ n: 1 }]);
    expect(await store.read()).toEqual([
      { name: 'a', value: { n: 2 }, changedBy: 'other', changedAt: expect.any(Date) },
    ]);
  });

  it('changes nothing when it is so already, or when the change throws', async () => {
    await store.change('a', BY, () => ({ n: 1 }));
    expect(await store.change('a', { by: 'other' }, () => ({ n: 1 }))).toBe(false);
    await expect(
      store.change('a', { by: 'other' }, () => {
        throw new RangeError('no');
      }),
    ).rejects.toThrow('no');
    expect(await store.read()).toMatchObject([{ value: { n: 1 }, changedBy: BY.by }]);
    expect(await store.change('b', BY, () => undefined)).toBe(false);
  });

  it('takes one change after the other, so that none is lost (SS1)', async () => {
    const add = (): Promise<boolean> =>
      store.change('sum', BY, (current) => ((current as number | undefined) ?? 0) + 1);
    await Promise.all(Array.from({ length: 20 }, add));
    expect(await values()).toEqual({ sum: 20 });
  });

  it('reads nothing that has expired, and takes it for absent at the next change (SS2)', async () => {
    await store.change('a', { ...BY, ttlMs: 300 }, () => 1);
    const [setting] = await store.read();
    expect(setting?.expiresInMs).toBeGreaterThan(0);
    expect(setting?.expiresInMs).toBeLessThanOrEqual(300);
    await until(async () => (await store.read()).length === 0, { what: 'it expires' });
    const seen: unknown[] = [];
    await store.change('a', BY, (current) => {
      seen.push(current);
      return 2;
    });
    expect(seen).toEqual([undefined]);
    expect(await values()).toEqual({ a: 2 });
  });

  it('removes what has expired, and the audit is no setting', async () => {
    await store.put('gone', 1, { ...BY, ttlMs: 0 });
    await store.put('audit', [], BY);
    await store.put('kept', 1, { ...BY, ttlMs: 60_000 });
    await store.removeExpired();
    const { rows } = await database.pool.query('SELECT name FROM setting ORDER BY name');
    expect(rows).toEqual([{ name: 'audit' }, { name: 'kept' }]);
    expect(await values()).toEqual({ kept: 1 });
  });
});
