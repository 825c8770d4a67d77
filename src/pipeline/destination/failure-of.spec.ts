import { failureOf } from './failure-of.js';

describe('failureOf', () => {
  it.each([
    ['an error without anything', new Error('x'), 'retryable'],
    ['something thrown that is no error', 'text', 'retryable'],
    ['nothing', undefined, 'retryable'],
    ['429', { status: 429 }, 'busy'],
    ['Retry-After', { status: 503, retryAfterMs: 1 }, 'busy'],
    ['401: a credential, not the record', { statusCode: 401 }, 'retryable'],
    ['a redirect', { status: 302 }, 'final'],
    ['a status of success', { status: 200 }, 'retryable'],
    ['408', { status: 408 }, 'retryable'],
    ['404', { status: 404 }, 'final'],
    ['a connection that PostgreSQL ended: class 57', { code: '57P01' }, 'outage'],
    ['PostgreSQL without connections to spare: class 53', { code: '53300' }, 'outage'],
    ['a connection to PostgreSQL that failed: class 08', { code: '08006' }, 'outage'],
    ['a deadlock: class 40', { code: '40P01' }, 'retryable'],
    ['a value: class 22', { code: '22P02' }, 'final'],
    ['a constraint: class 23', { code: '23505' }, 'final'],
    ['a missing table', { code: '42P01' }, 'retryable'],
    ['a reset', { code: 'ECONNRESET' }, 'outage'],
    ['a resolver without an answer', { code: 'EAI_AGAIN' }, 'outage'],
    ['a pipe that is closed: no SQLSTATE', { code: 'EPIPE' }, 'outage'],
    ['an unknown host', Object.assign(new Error('x'), { code: 'ENOTFOUND' }), 'outage'],
  ])('sorts %s', (_, error, kind) => {
    expect(failureOf(error).kind).toBe(kind);
  });

  it('finds the code behind what wraps it', () => {
    const cause = Object.assign(new Error('x'), { code: 'ECONNREFUSED' });
    expect(failureOf(new TypeError('fetch failed', { cause })).kind).toBe('outage');
  });

  it('says of a conflict of transactions that it is none of the destination’s faults', () => {
    expect(failureOf(Object.assign(new Error('x'), { code: '40001' }))).toMatchObject({
      kind: 'retryable',
      isConflict: true,
    });
  });

  it('knows the timeouts of a call’s own client', () => {
    for (const error of [
      new DOMException('x', 'TimeoutError'),
      Object.assign(new Error('x'), { code: 'UND_ERR_HEADERS_TIMEOUT' }),
    ]) {
      expect(failureOf(error)).toMatchObject({ kind: 'retryable', isTimeout: true });
    }
  });

  it('never throws, whatever was thrown', () => {
    const thrown = new Proxy(new Error('x'), {
      get: () => {
        throw new Error('no');
      },
    });
    expect(failureOf(thrown).kind).toBe('retryable');
  });
});
