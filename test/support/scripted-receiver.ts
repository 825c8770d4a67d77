import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import { freePort } from './free-port.mjs';

/** A request as it came, with its body. */
export interface ReceivedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Wall-clock ms at which it was complete. */
  readonly atMs: number;
}

/**
 * How a request is answered: a status (200 when only a body is given), `silence` (no answer at all; the connection stays
 * open) or `drop` (the connection is cut).
 */
export type ScriptedAnswer =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
      /** Before the answer begins. */
      readonly delayMs?: number;
    }
  | 'silence'
  | 'drop';

type Script = (request: ReceivedRequest, index: number) => ScriptedAnswer | Promise<ScriptedAnswer>;

/**
 * A real HTTP server whose answers are the test's. It keeps every request, in the order in which they were complete.
 *
 * `answers(a, b)` scripts the next two requests; all others are answered by `answer`, a 204 unless the test says otherwise.
 * `goAway` makes connections be refused, `comeBack` listens on the same port again.
 */
export class ScriptedReceiver {
  readonly requests: ReceivedRequest[] = [];
  /** Requests that were complete and not answered at the same time, at most. */
  mostAtOnce = 0;
  answer: Script = () => ({ status: 204 });
  private readonly scripted: ScriptedAnswer[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly delays = new Set<NodeJS.Timeout>();
  private server: Server | undefined;
  private atOnce = 0;

  private constructor(private readonly port: number) {}

  /** Listens on a free port of the loopback, or on the given one. */
  static async start(port?: number): Promise<ScriptedReceiver> {
    const receiver = new ScriptedReceiver(port ?? (await freePort()));
    await receiver.comeBack();
    return receiver;
  }

  /** Without a path. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Answers of the next requests, in their order. */
  answers(...answers: readonly ScriptedAnswer[]): void {
    this.scripted.push(...answers);
  }

  /** Bodies of the requests so far, parsed. */
  payloads(): unknown[] {
    return this.requests.map(({ body }) => JSON.parse(body) as unknown);
  }

  /** Cuts all connections; new ones are refused. Idempotent. */
  async goAway(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    for (const delay of this.delays) clearTimeout(delay);
    this.delays.clear();
    for (const socket of this.sockets) socket.destroy();
    this.atOnce = 0;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  /** Listens again, on the same port. */
  async comeBack(): Promise<void> {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url: path = '', headers } = request;
        const body = Buffer.concat(chunks).toString();
        void this.received({ method, path, headers, body, atMs: Date.now() }, response);
      });
      request.on('error', () => undefined); // Cut by the other side; there is nobody to answer.
    });
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', resolve);
    });
    this.server = server;
  }

  stop(): Promise<void> {
    return this.goAway();
  }

  private async received(request: ReceivedRequest, response: ServerResponse): Promise<void> {
    this.requests.push(request);
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    response.once('close', () => {
      this.atOnce = Math.max(0, this.atOnce - 1);
    });
    const scripted = this.scripted.shift();
    const answer = scripted ?? (await this.answer(request, this.requests.length - 1));
    if (answer === 'silence') return;
    if (answer === 'drop') {
      response.destroy();
      return;
    }
    const { delayMs = 0 } = answer;
    if (delayMs === 0) return send(response, answer);
    const delay = setTimeout(() => {
      this.delays.delete(delay);
      send(response, answer);
    }, delayMs);
    this.delays.add(delay);
  }
}

function send(response: ServerResponse, answer: Exclude<ScriptedAnswer, string>): void {
  response.writeHead(answer.status ?? 200, answer.headers).end(answer.body);
}
