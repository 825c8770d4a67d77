import { PassThrough } from 'node:stream';
import { answerProtocolError } from './server-protection.js';

function answerTo(code: string | undefined): string {
  const socket = new PassThrough();
  answerProtocolError(Object.assign(new Error('x'), code === undefined ? {} : { code }), socket);
  const text: unknown = socket.read();
  return text instanceof Buffer ? text.toString() : '';
}

describe('what the HTTP parser refuses', () => {
  it.each([
    ['HPE_HEADER_OVERFLOW', 431, 'headers-too-large'],
    ['ERR_HTTP_REQUEST_TIMEOUT', 408, 'request-timeout'],
    ['HPE_INVALID_METHOD', 400, 'malformed'],
    [undefined, 400, 'malformed'],
  ])('%s is answered with %i %s and the end of the connection', (code, status, name) => {
    const [head = '', body = ''] = answerTo(code).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toContain('Content-Type: application/problem+json');
    expect(head).toContain('Connection: close');
    expect(head).toContain(`Content-Length: ${Buffer.byteLength(body)}`);
    expect(JSON.parse(body)).toMatchObject({ type: `/problems/${name}`, status });
  });

  it('is not answered to a caller that has left', () => {
    expect(answerTo('ECONNRESET')).toBe('');
  });
});
