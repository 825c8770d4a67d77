/**
 * Watches every HTTP answer of the applications and services that a test file starts, and keeps what does not fit the
 * OpenAPI document of the one that gave it. `answers.setup.ts` fails the test that got such an answer.
 *
 * AW1 the document is the answering application's own; of a service it is fetched once, from `/openapi.json`.
 * AW2 answers that come before a service can show its document wait for it, at most `MOST_WAITING`.
 * AW3 watching changes no answer: bodies of applications are looked at on their way, those of services are cloned.
 */
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { openApiDocument } from '../../src/openapi/openapi.js';
import { type Answer, AnswerCheck, type ApiDocument } from './answer-check.js';

const MOST_WAITING = 500;
const STREAM_TYPE = 'text/event-stream';

type CheckOf = () => AnswerCheck;
/** The document that an application describes itself by. */
export function apiDocumentOf(app: NestFastifyApplication): ApiDocument {
  return openApiDocument(app, 'test') as unknown as ApiDocument;
}

const plainFetch = globalThis.fetch;
const services = new Map<string, ServiceAnswers>();
const pending = new Set<Promise<void>>();
let misfits: string[] = [];
let checked = 0;

/** All that did not fit since it was asked last. */
export async function takeMisfits(): Promise<readonly string[]> {
  await Promise.all(pending);
  const taken = [...new Set(misfits)];
  misfits = [];
  return taken;
}

/** Throws when an answer did not fit since it was asked last. */
export async function expectNoMisfits(): Promise<void> {
  const taken = await takeMisfits();
  if (taken.length === 0) return;
  throw new Error(`Answers that the OpenAPI document does not describe:\n${taken.join('\n')}`);
}

/** How many answers have been held against a document. */
export function checkedAnswers(): number {
  return checked;
}

/** Watches an application of this process; the document is made at its first answer. Call it before `init` or `listen`. */
export function watchApplication(
  app: Pick<NestFastifyApplication, 'getHttpAdapter'>,
  documentOf: () => ApiDocument,
): void {
  let check: AnswerCheck | undefined;
  const checkOf: CheckOf = () => (check ??= new AnswerCheck(documentOf()));
  app
    .getHttpAdapter()
    .getInstance()
    .addHook(
      'onSend',
      (request: FastifyRequest, reply: FastifyReply, payload: unknown, done: () => void) => {
        hold(checkOf(), answerOf(request, reply, payload));
        done();
      },
    );
}

/** Watches what `fetch` gets from a service of this address. */
export function watchService(url: string): void {
  services.set(url, new ServiceAnswers(url));
  globalThis.fetch = watchedFetch;
}

const watchedFetch: typeof fetch = async (input, init) => {
  const response = await plainFetch(input, init);
  const url = new URL(input instanceof Request ? input.url : input);
  const service = services.get(url.origin);
  if (service !== undefined) {
    const seen = service.seen(init?.method ?? 'GET', url, response.clone());
    pending.add(seen);
    void seen.finally(() => pending.delete(seen));
  }
  return response;
};

class ServiceAnswers {
  private check: AnswerCheck | undefined;
  private asking: Promise<void> | undefined;
  private waiting: Answer[] = [];

  constructor(private readonly origin: string) {}

  async seen(method: string, url: URL, response: Response): Promise<void> {
    const headers = Object.fromEntries(response.headers);
    const body = await bodyOf(response, headers);
    if (this.waiting.length >= MOST_WAITING) this.waiting.shift();
    const { status } = response;
    this.waiting.push({ method, url: url.pathname, status, headers, body });
    if (this.check === undefined) await (this.asking ??= this.ask());
    const { check } = this;
    if (check === undefined) return;
    for (const answer of this.waiting.splice(0)) hold(check, answer);
  }

  private async ask(): Promise<void> {
    try {
      const answer = await plainFetch(`${this.origin}/openapi.json`);
      const document = (await answer.json()) as ApiDocument;
      if (answer.ok) this.check = new AnswerCheck(document);
    } catch {
      // It starts or is gone; the next answer asks again.
    } finally {
      this.asking = undefined;
    }
  }
}

function hold(check: AnswerCheck, answer: Answer): void {
  checked += 1;
  misfits.push(...check.misfits(answer));
}

function answerOf(request: FastifyRequest, reply: FastifyReply, payload: unknown): Answer {
  const headers = Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]);
  const { method, url } = request;
  const { statusCode: status } = reply;
  return { method, url, status, headers: Object.fromEntries(headers), body: textOf(payload) };
}

function textOf(payload: unknown): string | undefined {
  if (payload === null || payload === undefined) return '';
  if (Buffer.isBuffer(payload)) return payload.toString();
  return typeof payload === 'string' ? payload : undefined;
}

async function bodyOf(response: Response, headers: Record<string, string>) {
  if (headers['content-type']?.startsWith(STREAM_TYPE)) return undefined;
  try {
    return await response.text();
  } catch {
    return undefined; // Cut off.
  }
}
