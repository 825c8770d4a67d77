import { Logger } from '@nestjs/common';
import { Audit } from '../../src/admin/audit.js';
import type { ServiceOptions } from '../../src/config/service.options.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

const OPERATOR = { name: 'admin-token', address: '10.0.0.7' } as const;

describe('Audit', () => {
  let database: TestDatabase;
  let audit: Audit;
  const lines: string[] = [];
  const collect = (line: string): void => void lines.push(line);
  beforeAll(async () => {
    Logger.overrideLogger({ log: collect, warn: collect, error: collect });
    database = await createTestDatabase();
    const options = { instanceId: 'replica-1' } as ServiceOptions;
    audit = new Audit(await database.dataSource(), options);
  });
  afterAll(() => database.drop());
  beforeEach(() => database.pool.query('DELETE FROM setting'));

  it('keeps who, when, what, from which value to which (A2), newest first', async () => {
    await audit.record(OPERATOR, { action: 'pause', target: 'pipeline' });
    await audit.record(OPERATOR, { action: 'change', target: 'stage KeyGen', from: 1, to: 2 });
    expect(await audit.latest()).toEqual([
      {
        at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        by: 'admin-token@10.0.0.7',
        instance: 'replica-1',
        action: 'change',
        target: 'stage KeyGen',
        from: 1,
        to: 2,
      },
      expect.objectContaining({ action: 'pause', target: 'pipeline' }),
    ]);
  });

  it('says each change in one line (A1)', async () => {
    await audit.record(OPERATOR, { action: 'change', target: 'x', from: { a: 1 }, to: { a: 2 } });
    expect(lines.at(-1)).toBe('admin-token@10.0.0.7: change x, was {"a":1}, is {"a":2}');
  });

  it('keeps the last hundred, and none of them is lost among writers at the same time (A2)', async () => {
    const numbers = Array.from({ length: 130 }, (_, n) => n);
    await Promise.all(
      numbers.map((n) => audit.record(OPERATOR, { action: 'count', target: `${n}` })),
    );
    const kept = await audit.latest();
    expect(kept).toHaveLength(100);
    expect(new Set(kept.map(({ target }) => target)).size).toBe(100);
  });

  it('leaves a value out that is too long to be kept (A4)', async () => {
    await audit.record(OPERATOR, { action: 'redrive', target: 'all', to: 'x'.repeat(5000) });
    expect(await audit.latest()).toEqual([
      expect.objectContaining({ to: '(too long to be kept)' }),
    ]);
  });

  it('never rejects: what has happened stays, also when it can not be noted (A3)', async () => {
    const broken = { query: () => Promise.reject(new Error('away')) } as never;
    const away = new Audit(broken, { instanceId: 'r' } as ServiceOptions);
    await expect(
      away.record(OPERATOR, { action: 'pause', target: 'pipeline' }),
    ).resolves.toBeUndefined();
    expect(lines.slice(-2)).toEqual([
      'admin-token@10.0.0.7: pause pipeline',
      'This change is noted in the log only: away',
    ]);
  });
});
