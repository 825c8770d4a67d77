import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { problemFor } from './problems.js';
import { RequestError } from './request-error.js';
import { acceptsJson } from './request-headers.js';
import type { RouteTable } from './route-table.js';

/** Server-sent events: its clients ask for `text/event-stream`. */
const EVENT_STREAM_ROUTE = '/v1/admin/events';

/** Throws `malformed` for HTTP/1.1 without a Host: the platform's own check answers without a body. */
export function requireHost({ headers, raw }: FastifyRequest): void {
  if (headers.host !== undefined || raw.httpVersion !== '1.1') return;
  throw new RequestError('malformed', 'The request has no Host.');
}

/**
 * Whether a route answers with JSON to those alone who accept it. Probes and scrapers are answered whatever they accept:
 * a check must not fail for a header field.
 */
export function isJsonRoute(url: string): boolean {
  return url.startsWith('/v1/') && url !== EVENT_STREAM_ROUTE;
}

/** Throws `not-acceptable`. */
export function requireJsonAccepted({ headers }: FastifyRequest): void {
  if (acceptsJson(headers)) return;
  throw new RequestError('not-acceptable', 'The answer is application/json.');
}

/** Answers OPTIONS with what the path can do; false when there is nothing at this path. */
export function answerOptions(
  { url, raw }: FastifyRequest,
  reply: FastifyReply,
  routes: RouteTable,
): boolean {
  if (raw.method !== 'OPTIONS') return false;
  const methods = url === '*' ? routes.allMethods() : routes.methodsOf(url);
  if (methods.length === 0) return false;
  reply
    .status(204)
    .header('allow', [...methods, 'OPTIONS'].join(', '))
    .send();
  return true;
}

/** For an `Expect` that is not `100-continue`, which the platform refuses without a body. */
export function refuseExpectation(_request: IncomingMessage, response: ServerResponse): void {
  const error = new RequestError('expectation-failed', 'Expect can only be 100-continue.');
  const body = JSON.stringify(problemFor(error));
  response.writeHead(error.status, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
}
