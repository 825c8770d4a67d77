import { isUtf8 } from 'node:buffer';
import type { DeadLetterDetail, DeadLetterSummary } from '../dead-letters/dead-letter.js';
import { failedAttemptAnswer } from '../pipeline/failed-attempt.js';
import type { LetterAnswer } from './dead-letters.schema.js';

/** A string of JSON, or a number that may lose digits when it is parsed and written again. */
const STRINGS = /"(?:[^"\\]|\\.)*"/g;
const UNSAFE_NUMBER = /\d(?:\.?\d){15}|\d[eE]/;

/** A letter in a list. */
export function summaryAnswer(letter: DeadLetterSummary) {
  return {
    id: letter.id,
    recordId: letter.recordId,
    destination: letter.destination,
    tenant: letter.tenant,
    key: letter.key,
    priority: letter.priority,
    reason: letter.reason,
    stage: letter.stage,
    state: letter.state,
    attempts: letter.attempts,
    lastError: letter.lastError,
    sizeBytes: letter.sizeBytes,
    acceptedAt: letter.acceptedAt.toISOString(),
    deadLetteredAt: letter.deadLetteredAt.toISOString(),
    redriveCount: letter.redriveCount,
  };
}

export function letterAnswer(letter: DeadLetterDetail): LetterAnswer {
  return {
    ...summaryAnswer(letter),
    ...payloadAnswer(letter.payload),
    headers: { ...letter.headers },
    failures: letter.failures.map(failedAttemptAnswer),
    trail: letter.trail.map((event) => ({ ...event })),
  };
}

/** The JSON it is, or the bytes: what is shown is what is there. */
function payloadAnswer(bytes: Buffer | null): Pick<LetterAnswer, 'payload' | 'payloadBase64'> {
  // A tombstone, not the JSON null.
  if (bytes === null) return { payload: null };
  const shown = jsonOf(bytes);
  return shown === undefined
    ? { payload: undefined, payloadBase64: bytes.toString('base64') }
    : { payload: shown.value };
}

function jsonOf(bytes: Buffer): { readonly value: unknown } | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString();
  if (UNSAFE_NUMBER.test(text.replaceAll(STRINGS, '""'))) return undefined;
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    // No JSON: the caller shows the bytes.
    return undefined;
  }
}
