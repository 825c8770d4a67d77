import { SessionRequiredError } from './errors/session-required.error.js';
import { assertSession, type Session } from './session-check.js';

/** A proxy that pools transactions: a statement gets the first idle back end; BEGIN keeps it until the end. */
class TransactionPool {
  private readonly busy = new Map<object, number>();

  session(prepared = true): Session {
    const named = new Map<number, boolean>();
    const session: Session = {
      query: async (statement) => {
        const pid = this.busy.get(session) ?? this.firstIdle();
        if (statement === 'BEGIN') this.busy.set(session, pid);
        if (statement === 'ROLLBACK') this.busy.delete(session);
        if (typeof statement === 'object' && !prepared) {
          if (named.size > 0 && !named.has(pid)) {
            throw Object.assign(new Error('prepared statement does not exist'), { code: '26000' });
          }
          named.set(pid, true);
        }
        return { rows: [{ pid }] };
      },
    };
    return session;
  }

  private firstIdle(): number {
    const taken = new Set(this.busy.values());
    return [1, 2, 3].find((pid) => !taken.has(pid)) ?? 0;
  }
}

const direct = (pid: number): Session => ({ query: async () => ({ rows: [{ pid }] }) });

describe('assertSession', () => {
  it('passes two sessions of their own', async () => {
    await expect(assertSession(direct(1), direct(2))).resolves.toBeUndefined();
  });

  it('refuses a pool of transactions, naming both back ends', async () => {
    const pool = new TransactionPool();
    const check = assertSession(pool.session(), pool.session());
    await expect(check).rejects.toBeInstanceOf(SessionRequiredError);
    await expect(check).rejects.toThrow('back ends 1 and 2');
  });

  it('refuses a pool that loses named statements', async () => {
    const pool = new TransactionPool();
    await expect(assertSession(pool.session(false), pool.session())).rejects.toThrow(
      'a named statement was not found again',
    );
  });

  it('ends the transaction that it opened, also after a refusal', async () => {
    const pool = new TransactionPool();
    const other = pool.session();
    await expect(assertSession(pool.session(), other)).rejects.toThrow('back ends');
    expect((await other.query('SELECT 1')).rows).toEqual([{ pid: 1 }]);
  });

  it('passes on other errors', async () => {
    const broken: Session = { query: () => Promise.reject(new Error('boom')) };
    await expect(assertSession(broken, direct(2))).rejects.toThrow('boom');
  });
});
