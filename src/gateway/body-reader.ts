import type { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '#libs/flow-control';
import { ByteCollector } from './json/byte-collector.js';
import { type JsonBody, parseJsonBody, withoutByteOrderMark } from './json/json-body.js';
import { requirePlainUtf8 } from './request-headers.js';
import { invalidRequest, RequestError } from './request-error.js';

/** A sender that needs longer for a body is cut off: it holds memory and a connection. */
export const BODY_TIMEOUT_MS = 30_000;

/** The JSON body of a request that brings records. */
export interface IntakeBody extends JsonBody {
  /** Bytes of the text. */
  readonly sizeBytes: number;
  /** SHA-256 of the request with these bytes, where it has a key and is no batch. */
  readonly fingerprint: Buffer | undefined;
}

/** Reads a whole body; rejects with `too-large` or `request-timeout`, or with the stream's error. */
export function readBody(
  source: Readable,
  { maxBytes, clock }: { maxBytes: number; clock: Clock },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const collector = new ByteCollector(maxBytes);
    const settle = (end: () => void): void => {
      timer.cancel();
      source.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      end();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const onData = (chunk: Buffer): void => {
      if (!collector.append(chunk)) fail(bodyTooLarge(maxBytes));
    };
    const onEnd = (): void => settle(() => resolve(collector.take()));
    const onError = (error: Error): void => fail(error);
    const onClose = (): void => fail(new RequestError('malformed', 'The body ended too early.'));
    const timer = clock.setTimer(BODY_TIMEOUT_MS, () =>
      fail(
        new RequestError(
          'request-timeout',
          `The body did not arrive within ${BODY_TIMEOUT_MS / 1000} s.`,
        ),
      ),
    );
    if (source.destroyed) onClose();
    source.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });
}

export function bodyTooLarge(maxBytes: number): RequestError {
  return new RequestError('too-large', `The body must have at most ${maxBytes} bytes.`, {
    limitBytes: maxBytes,
  });
}

/** The parser of `application/json`: an IntakeBody for routes that take records, the value itself for all others. */
export async function parseJsonRequest(
  request: FastifyRequest,
  source: Readable,
  limits: { maxBytes: number; clock: Clock },
): Promise<unknown> {
  requirePlainUtf8(request.headers);
  const bytes = withoutByteOrderMark(await readBody(source, limits));
  const body = parseJsonBody(bytes);
  if (request.intake !== undefined) {
    request.intake.readyAtMs = limits.clock.now();
    const { requestKey } = request.intake;
    const fingerprint = requestKey?.isBatch === false ? requestKey.fingerprintOf(bytes) : undefined;
    return { ...body, sizeBytes: bytes.length, fingerprint } satisfies IntakeBody;
  }
  if (body.issues.length > 0) throw invalidRequest(body.issues);
  return body.value;
}
