import {
  acceptsJson,
  mediaTypeOf,
  priorityOf,
  requirePlainUtf8,
  tenantOf,
  waitSecondsOf,
} from './request-headers.js';

describe('Request headers', () => {
  it.each([
    ['wait=5', 5],
    ['wait = 5', 5],
    ['respond-async, wait=10', 10],
    ['WAIT="7"; foo=bar', 7],
    ['wait=0', 0],
    ['wait=31', 30],
    ['wait=999999999', 30],
    ['wait=3, wait=9', 3],
    ['wait', undefined],
    ['wait=-1', undefined],
    ['wait=1.5', undefined],
    ['wait=abc', undefined],
    ['waiting=5', undefined],
    ['', undefined],
    ['return=minimal', undefined],
  ])('reads Prefer: %s as %s', (prefer, seconds) => {
    expect(waitSecondsOf({ prefer })).toBe(seconds);
  });

  it('reads a Prefer header that comes twice', () => {
    expect(waitSecondsOf({ prefer: ['respond-async', 'wait=4'] })).toBe(4);
    expect(waitSecondsOf({})).toBeUndefined();
  });

  it('takes a plain tenant name, and `default` without one', () => {
    expect(tenantOf({ 'penstock-tenant': 'acme.eu-1' })).toBe('acme.eu-1');
    expect(tenantOf({})).toBe('default');
  });

  it.each([[''], ['-a'], ['a b'], ['ä'], ['a'.repeat(65)], ['a/b']])(
    'refuses the tenant "%s"',
    (name) => {
      expect(() => tenantOf({ 'penstock-tenant': name })).toThrow(/Penstock-Tenant must be/);
    },
  );

  it('takes the four priorities and refuses any other word', () => {
    expect(priorityOf({ 'penstock-priority': 'bulk' })).toBe('bulk');
    expect(priorityOf({})).toBeUndefined();
    expect(() => priorityOf({ 'penstock-priority': 'Bulk' })).toThrow(/must be one of critical/);
    expect(() => priorityOf({ 'penstock-priority': ['bulk', 'high'] })).toThrow(/must be one of/);
  });

  it.each([
    [undefined, true],
    ['*/*', true],
    ['text/html, application/*;q=0.5', true],
    ['application/json;q=0', false],
    ['application/json;q=0, */*', false],
    ['text/html', false],
    ['text/html;q=0.3, */*;q=0.1', true],
    ['APPLICATION/JSON', true],
  ])('decides by the most specific range: Accept %s admits JSON: %s', (accept, isAdmitted) => {
    expect(acceptsJson({ accept })).toBe(isAdmitted);
  });

  it('reads the media type without parameters', () => {
    expect(mediaTypeOf({ 'content-type': 'Application/X-NDJSON; charset=utf-8' })).toBe(
      'application/x-ndjson',
    );
    expect(mediaTypeOf({})).toBeUndefined();
  });

  it('refuses compressed bodies and other character sets', () => {
    requirePlainUtf8({ 'content-type': 'application/json; charset="UTF-8"' });
    expect(() => requirePlainUtf8({ 'content-encoding': 'gzip' })).toThrow(/not be compressed/);
    expect(() => requirePlainUtf8({ 'content-type': 'application/json;charset=utf-16' })).toThrow(
      /must be UTF-8/,
    );
  });
});
