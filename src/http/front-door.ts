/**
 * The listening socket, open before anything else is touched: a second start on the same port ends here, before it
 * comes near the first one's data.
 *
 * F1  Until `open` every request is answered by a 503 problem (`starting`), health included but for its liveness.
 * F2  `close` stops listening at once and lets the answers in flight end, for at most `CLOSE_GRACE_MS`.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

type ClientErrorHandler = (error: Error & { code?: string }, socket: Duplex) => void;
type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Longer than the idle time of common load balancers (60 s), so that they close first. */
const KEEP_ALIVE_MS = 72_000;
const CLOSE_GRACE_MS = 1000;
const STARTING_RETRY_S = 1;

/** The address can't be listened on. Nothing has been started. */
export class PortError extends Error {
  override readonly name = 'PortError';
}

export class FrontDoor {
  readonly server: Server;
  private handler: Handler = answerStarting;
  private prepared: Handler | undefined;

  constructor(options: ServerOptions = {}, onClientError?: ClientErrorHandler) {
    this.server = createServer(options, (request, response) => this.handler(request, response));
    this.server.keepAliveTimeout = KEEP_ALIVE_MS;
    if (onClientError !== undefined) this.server.on('clientError', onClientError);
  }

  /** The port it listens on, once it does. */
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** `setting` names the port. Rejects with a PortError whose message is a sentence for the operator. */
  listen(port: number, host: string, setting = 'PORT'): Promise<void> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException): void => {
        reject(new PortError(portSentence(error, { port, host, setting })));
      };
      server.once('error', refuse);
      server.listen(port, host, () => {
        server.off('error', refuse);
        resolve();
      });
    });
  }

  /** Names who answers once the door is open. */
  prepare(handler: Handler): void {
    this.prepared = handler;
  }

  open(): void {
    this.handler = this.prepared ?? answerStarting;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      const cut = setTimeout(() => this.server.closeAllConnections(), CLOSE_GRACE_MS);
      // The only error is that it wasn't listening, which is what is wanted.
      this.server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      this.server.closeIdleConnections();
    });
  }
}

function portSentence(
  error: NodeJS.ErrnoException,
  { port, host, setting }: { port: number; host: string; setting: string },
): string {
  if (error.code === 'EADDRINUSE') {
    return `${setting} ${port} on ${host} is in use by another process; stop it or choose another ${setting}.`;
  }
  if (error.code === 'EACCES') return `${setting} ${port} needs more rights than this process has.`;
  return `HOST ${host} can't be listened on: ${error.message}.`;
}

function answerStarting(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/health/live') {
    answer(response, 200, 'application/json', { status: 'ok' });
    return;
  }
  response.setHeader('retry-after', STARTING_RETRY_S);
  answer(response, 503, 'application/problem+json', {
    type: '/problems/starting',
    title: 'Nothing can be accepted at the moment',
    status: 503,
    detail: 'The service is starting.',
    retryAfterMs: STARTING_RETRY_S * 1000,
  });
}

function answer(response: ServerResponse, status: number, type: string, body: object): void {
  response.writeHead(status, { 'content-type': type });
  response.end(JSON.stringify(body));
}
