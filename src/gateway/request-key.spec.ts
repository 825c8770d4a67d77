import { eventIdentityOf, RequestKey, requestKeyOf } from './request-key.js';

const request = (key?: string | string[], url = '/v1/records', method = 'POST') => ({
  method,
  url,
  headers: key === undefined ? {} : { 'idempotency-key': key },
});
const fingerprint = (content: Buffer | string, url?: string, method?: string): string =>
  requestKeyOf(request('k', url, method))!
    .fingerprintOf(content)
    .toString('hex');

describe('requestKeyOf', () => {
  it('is undefined for a request without the header', () => {
    expect(requestKeyOf(request())).toBeUndefined();
  });

  it.each(['a', '8e03978e-40d5-43dd-bc93-6894a57f9324', '"quoted"', 'k'.repeat(255), 'größer'])(
    'takes %j as it is',
    (key) => {
      expect(requestKeyOf(request(key))?.key).toBe(key);
    },
  );

  it.each(['', 'k'.repeat(256), 'a\tb', 'a\u0000', '\u007f', '\u0085', ['a', 'b']])(
    'throws malformed for %j',
    (key) => {
      expect(() => requestKeyOf(request(key))).toThrow(
        expect.objectContaining({ code: 'malformed' }),
      );
    },
  );
});

describe('RequestKey', () => {
  it('has one fingerprint for method, path and bytes, whatever follows the path (RK1)', () => {
    const one = fingerprint('{"payload":1}');
    expect(one).toHaveLength(64);
    expect(fingerprint(Buffer.from('{"payload":1}'))).toBe(one);
    expect(fingerprint('{"payload":1}', '/v1/records?trace=1')).toBe(one);
  });

  it.each([
    ['other bytes', fingerprint('{"payload": 1}')],
    ['another path', fingerprint('{"payload":1}', '/v1/records:batch')],
    ['another method', fingerprint('{"payload":1}', '/v1/records', 'PUT')],
  ])('has another one for %s (RK1)', (_what, other) => {
    expect(other).not.toBe(fingerprint('{"payload":1}'));
  });

  it('gives each record of a batch a key and a fingerprint of its own (RK2)', () => {
    const key = new RequestKey('k', request());
    const [first, second] = [key.ofElement(0, '1'), key.ofElement(1, '2')];
    expect([first.key, second.key]).toEqual(['k#0', 'k#1']);
    expect(first.fingerprint.equals(key.fingerprintOf('1'))).toBe(true);
    expect(second.fingerprint.equals(first.fingerprint)).toBe(false);
    expect(key.ofRecord(first.fingerprint)).toEqual({ key: 'k', fingerprint: first.fingerprint });
  });
});

describe('eventIdentityOf', () => {
  const event = (change: Record<string, string> = {}, payload: unknown = 1) => {
    const attributes = { source: '/shop', id: '17', type: 'placed', ...change };
    return eventIdentityOf(new Map(Object.entries(attributes)), payload);
  };

  it('has a key that is the same for the same source and id only, and short', () => {
    const { key } = event();
    expect(event({ type: 'other' }, 2).key).toBe(key);
    const others = [event({ source: '/shop1', id: '7' }), event({ source: '17', id: '/shop' })];
    expect(new Set([key, ...others.map((other) => other.key)]).size).toBe(3);
    expect(event({ source: '/shop'.repeat(1000) }).key.length).toBe(key.length);
  });

  it('has the fingerprint of the event, in whatever mode and order it is sent (RK3)', () => {
    const { fingerprint } = event();
    const same = [
      event({ datacontenttype: 'application/json' }),
      eventIdentityOf(
        new Map([
          ['type', 'placed'],
          ['id', '17'],
          ['source', '/shop'],
        ]),
        1,
      ),
    ];
    for (const each of same) expect(each.fingerprint.equals(fingerprint)).toBe(true);
    const others = [event({}, 2), event({ type: 'other' }), event({ subject: 'x' })];
    for (const each of others) expect(each.fingerprint.equals(fingerprint)).toBe(false);
  });
});
