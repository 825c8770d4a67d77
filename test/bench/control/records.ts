import { randomUUID } from 'node:crypto';
import type { Lot } from '#libs/flow-control';
import type { Origin, PipelineRecord } from '../../../src/pipeline/record.js';
import type { Payload } from './pipeline.js';

/** More than can be in flight, so that no id is there twice at a time. */
const IDS = 65_536;
const KEYS = 1000;
const BODY_BYTES = 300;

/** Records that were parsed before: making them is all that the source costs. */
export class RecordSource {
  private readonly ids = Array.from({ length: IDS }, () => randomUUID());
  private readonly payloads: readonly Payload[] = Array.from({ length: KEYS }, (_, i) => ({
    customerId: `customer-${i}`,
  }));
  private readonly body = Buffer.alloc(BODY_BYTES, '{"customerId":"customer-1"}');
  private made = 0;

  /** Bytes of each record. */
  readonly sizeBytes = BODY_BYTES;

  next(count: number, credit: Lot, origin: Origin): PipelineRecord[] {
    const records: PipelineRecord[] = [];
    const receivedAtMs = Date.now();
    for (let i = 0; i < count; i += 1) records.push(this.one(credit, origin, receivedAtMs));
    return records;
  }

  private one(credit: Lot, origin: Origin, receivedAtMs: number): PipelineRecord {
    const n = this.made;
    this.made += 1;
    return {
      id: this.ids[n % IDS]!,
      source: 'rest',
      tenant: 'default',
      priority: 'normal',
      headers: undefined,
      idempotencyKey: undefined,
      expiresAtMs: Infinity,
      receivedAtMs,
      sizeBytes: BODY_BYTES,
      origin,
      credit,
      key: undefined,
      partition: -1,
      payload: this.payloads[n % KEYS],
      body: this.body,
      stage: 'Gateway',
      acceptedAtMs: 0,
      attempts: 0,
      failures: undefined,
      verdict: undefined,
      keyBytes: undefined,
      unsafeNumber: undefined,
      deliverTo: undefined,
      terminal: undefined,
    };
  }
}
