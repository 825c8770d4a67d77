import { kindOfAnswer } from './answer-kind.js';

describe('the kind of an HTTP answer', () => {
  it.each([
    [429, undefined, 'busy'],
    [404, 1000, 'busy'],
    [503, 0, 'busy'],
    [401, undefined, 'retryable'],
    [403, undefined, 'retryable'],
    [408, undefined, 'retryable'],
    [425, undefined, 'retryable'],
    [500, undefined, 'retryable'],
    [101, undefined, 'retryable'],
    [undefined, undefined, 'retryable'],
    [301, undefined, 'final'],
    [400, undefined, 'final'],
    [410, undefined, 'final'],
  ] as const)('of %s with Retry-After %s ms is %s', (status, retryAfterMs, kind) => {
    expect(kindOfAnswer(status, retryAfterMs)).toBe(kind);
  });
});
