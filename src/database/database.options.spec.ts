import { databaseOptions } from './database.options.js';

const messages = (input: object): string[] =>
  databaseOptions.schema.safeParse(input).error?.issues.map((issue) => issue.message) ?? [];

describe('database options', () => {
  it('need nothing: the embedded database is the default', () => {
    expect(databaseOptions.schema.parse({})).toEqual({
      databaseSsl: 'off',
      dataDir: '.penstock',
      databasePoolSize: 10,
      leaseMs: 15_000,
    });
  });

  it('never show the URL, which holds a password', () => {
    const [message] = messages({ databaseUrl: 'mysql://app:hidden@db/app' });
    expect(message).toBe('must be a postgres:// URL (got a value not shown)');
  });

  it.each(['postgres://app@db/app', 'postgresql://db'])('take %s', (databaseUrl) => {
    expect(messages({ databaseUrl })).toEqual([]);
  });

  it('refuse a lease that one lost renewal would end', () => {
    expect(messages({ leaseMs: '2999' })).toHaveLength(1);
  });
});
