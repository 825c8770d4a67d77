import type { ServerOptions } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { problemFor } from './problems.js';
import { RequestError } from './request-error.js';

/** Header fields that take longer come from a sender who wants to hold connections. */
const HEADERS_TIMEOUT_MS = 10_000;
/** A backstop above the longest legal request, an NDJSON stream of 300 s; shorter bodies have their own limit. */
const REQUEST_TIMEOUT_MS = 330_000;
const TIMEOUT_CHECK_MS = 2000;

/** For `http.createServer`. */
export const SERVER_OPTIONS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  // We check it: the platform answers without a body.
  requireHostHeader: false,
} as const satisfies ServerOptions;

/** Answers what the HTTP parser refuses, which never reaches a router, with a problem document. Closes the connection. */
export function answerProtocolError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = problemFor(protocolError(error.code));
  const body = JSON.stringify(problem);
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      'Content-Type: application/problem+json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function protocolError(code: string | undefined): RequestError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new RequestError('headers-too-large', 'The header fields are too large.');
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new RequestError('request-timeout', 'The request did not arrive in time.');
  }
  return new RequestError('malformed', 'This is not a valid HTTP request.');
}
