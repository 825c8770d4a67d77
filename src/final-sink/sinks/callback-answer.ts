import { kindOfAnswer } from '../../pipeline/answer-kind.js';
import type { Failure } from '../../pipeline/destination/failure.js';
import { ACKNOWLEDGED, type DeliveryOutcome } from './sink.js';

/** Not sent, or cut off by us: the request itself is what can't be made. */
const INVALID_REQUEST_CODES: ReadonlySet<unknown> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
]);

export interface CallbackAnswer {
  readonly status: number;
  /** As the header has it: seconds, or an HTTP date. */
  readonly retryAfter: string | undefined;
}

/**
 * What an answer says about the record: any 2xx acknowledges. A redirect is not followed, as the signature is for this
 * receiver; like every other 3xx and 4xx (410: nobody wants it any more) it is final. 429, and whatever comes with
 * `Retry-After`, is busy.
 */
export function outcomeOfAnswer(answer: CallbackAnswer, wallMs: number): DeliveryOutcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return ACKNOWLEDGED;
  const retryAfterMs = retryAfterMsOf(answer.retryAfter, wallMs);
  const failure: Failure = {
    kind: kindOfAnswer(status, retryAfterMs),
    message: `The receiver answered ${status}.`,
    status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  return { kind: 'failed', failure };
}

/** For a request that was not answered. It never reached the receiver, or nobody can tell: an outage. */
export function outcomeOfSilence(error: unknown, signal: AbortSignal): DeliveryOutcome {
  const { code, name, message } = error as Partial<Error & { readonly code: unknown }>;
  const text = `${name ?? 'Error'}: ${message ?? 'unknown'}`;
  if (signal.aborted) return failed({ kind: 'retryable', message: text, isTimeout: true });
  return failed({ kind: INVALID_REQUEST_CODES.has(code) ? 'final' : 'outage', message: text });
}

function failed(failure: Failure): DeliveryOutcome {
  return { kind: 'failed', failure };
}

function retryAfterMsOf(header: string | undefined, wallMs: number): number | undefined {
  if (header === undefined) return undefined;
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - wallMs;
  return Number.isFinite(waitMs) ? Math.max(0, waitMs) : undefined;
}
