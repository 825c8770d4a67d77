import type { ValidationIssue } from '../pipeline/record.js';
import { checkEvent, envelopeOf } from './cloud-events/cloud-event.js';
import type { EventAttributes } from './cloud-events/event-attributes.js';
import { checkEnvelope, type Envelope } from './records.schema.js';

/** How the records of a request are written. */
export interface RecordForm {
  /** Where in a record its payload is, and where the body is: issues are told by the places of the whole record. */
  readonly payloadPath: string;
  readonly bodyPath: string;
  /** Checks what the body has of one record; paths of the issues begin at the record. */
  check(value: unknown): Envelope | readonly ValidationIssue[];
}

/** Penstock's own: key, payload, headers, priority. */
export const ENVELOPE: RecordForm = {
  payloadPath: '/payload',
  bodyPath: '',
  check: checkEnvelope,
};

/** CloudEvents in the JSON format, one or a batch. */
export const EVENT: RecordForm = { payloadPath: '/data', bodyPath: '', check: checkEvent };

/** A CloudEvent in binary mode: the body is its data. */
export class EventData implements RecordForm {
  readonly payloadPath = '/data';
  readonly bodyPath = '/data';

  constructor(private readonly attributes: EventAttributes) {}

  check(value: unknown): Envelope {
    return envelopeOf(this.attributes, value);
  }
}

/** Issues with the places of what they are inside of. */
export function inside(
  path: string,
  issues: readonly ValidationIssue[],
): readonly ValidationIssue[] {
  if (path === '') return issues;
  return issues.map((issue) => ({ ...issue, path: path + issue.path }));
}
