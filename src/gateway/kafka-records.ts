import { isUtf8 } from 'node:buffer';
import type { Lot } from '#libs/flow-control';
import type { SourceRecord, SourceSlice } from '#libs/kafka';
import { partitionId } from '../ledger/kafka-position.js';
import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import { NEVER_MS } from '../pipeline/expiry.js';
import type { PipelineRecord, RecordHeaders, ValidationIssue } from '../pipeline/record.js';
import { parseJsonBody, withoutByteOrderMark } from './json/json-body.js';
import { RequestError, UNSAFE_NUMBER } from './request-error.js';
import { SliceOrigin } from './slice-origin.js';

/** The tenant of everybody who names none. */
const TENANT = 'default';

const TOMBSTONE: ValidationIssue = { path: '', message: 'must not be null (a tombstone)' };

/** What was read of a value. */
export interface ReadValue {
  readonly payload: unknown;
  readonly body: Buffer | null | undefined;
  readonly issues: readonly ValidationIssue[];
  readonly unsafeNumber: string | undefined;
}

/**
 * Makes records of what Kafka brings. A value that can't be read gives a record with an `invalid` verdict: it goes on to
 * IngressProcessing like the others, so that nothing is overtaken, and ends there.
 *
 * Keys and headers that are no text (not UTF-8, or with U+0000) are represented by their base64. Of a header that occurs
 * twice the last value counts.
 */
export class KafkaRecords {
  constructor(private readonly definition: AnyPipelineDefinition) {}

  /** In the slice's order; `credit` holds one pipeline credit for each. */
  of(slice: SourceSlice, credit: Lot, receivedAtMs: number): PipelineRecord[] {
    const { topic, incarnation, partition } = slice;
    const idStart = `${partitionId(topic, incarnation, partition)}:`;
    const origin = new SliceOrigin(slice.completion);
    return slice.records.map((source) => {
      const record = this.recordOf(source, `${idStart}${source.offset}`, {
        origin,
        credit,
        receivedAtMs,
      });
      origin.add(record, source);
      return record;
    });
  }

  private recordOf(
    { key, value, headers, sizeBytes }: SourceRecord,
    id: string,
    brought: Pick<PipelineRecord, 'origin' | 'credit' | 'receivedAtMs'>,
  ): PipelineRecord {
    const { payload, body, issues, unsafeNumber } = this.read(value);
    return {
      id,
      source: 'kafka',
      tenant: TENANT,
      priority: 'normal',
      headers: headers === undefined ? undefined : headersOf(headers),
      idempotencyKey: undefined,
      expiresAtMs: NEVER_MS,
      receivedAtMs: brought.receivedAtMs,
      sizeBytes,
      origin: brought.origin,
      credit: brought.credit,
      key: key === null ? undefined : textOf(key),
      keyBytes: key === null || isText(key) ? undefined : key,
      partition: -1,
      payload,
      body,
      unsafeNumber,
      stage: 'Gateway',
      // The broker holds it: it is durable from the beginning.
      acceptedAtMs: brought.receivedAtMs,
      attempts: 0,
      failures: undefined,
      verdict: issues.length > 0 ? { kind: 'invalid', issues } : undefined,
      deliverTo: undefined,
      terminal: undefined,
    };
  }

  /** Reads a value as the pipeline's format and schema ask for. */
  read(value: Buffer | null): ReadValue {
    const { format, schema } = this.definition;
    if (format === 'bytes') return read(value, value);
    if (value !== null) return readJson(withoutByteOrderMark(value));
    // Whether null is a payload is for the schema to say.
    return schema === undefined ? unreadable([TOMBSTONE]) : read(null, null);
  }
}

function readJson(bytes: Buffer): ReadValue {
  let body: ReturnType<typeof parseJsonBody>;
  try {
    body = parseJsonBody(bytes);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    return unreadable([{ path: '', message: 'must be JSON in UTF-8' }]);
  }
  if (body.issues.length === 0) return read(body.value, bytes);
  // Bytes that go on as they are lose no digits.
  const issues = body.issues.filter(({ message }) => message !== UNSAFE_NUMBER);
  if (issues.length > 0) return unreadable(issues);
  return { ...read(body.value, bytes), unsafeNumber: body.issues[0]?.path };
}

function read(payload: unknown, body: Buffer | null): ReadValue {
  return { payload, body, issues: NO_ISSUES, unsafeNumber: undefined };
}

function unreadable(issues: readonly ValidationIssue[]): ReadValue {
  return { payload: undefined, body: undefined, issues, unsafeNumber: undefined };
}

const NO_ISSUES: readonly ValidationIssue[] = Object.freeze([]);

function headersOf(headers: NonNullable<SourceRecord['headers']>): RecordHeaders {
  return Object.fromEntries(headers.map(([name, value]) => [name, textOf(value)]));
}

/** Bytes as the pipeline's functions see them. */
export function textOf(bytes: Buffer): string {
  return bytes.toString(isText(bytes) ? 'utf8' : 'base64');
}

function isText(bytes: Buffer): boolean {
  return isUtf8(bytes) && !bytes.includes(0);
}
