/** Records of record batches (format 2), without an object or a copy for each of their parts. */
import compression from 'kafkajs/src/protocol/message/compression/index.js';
import { BATCH_AT, BATCH_FLAGS, BATCH_FORMAT } from './record-batch.js';
import { VarintReader } from './varint-reader.js';

/** What the records of a batch have in common. */
export interface BatchContext {
  readonly firstOffset: bigint;
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly isLogAppendTime: boolean;
  readonly inTransaction: boolean;
  readonly isControlBatch: boolean;
  readonly producerId: string;
}

export type RecordHeaders = Readonly<Record<string, Buffer | (Buffer | null)[] | null>>;

const NO_HEADERS: RecordHeaders = Object.freeze({});

/**
 * A fetched record as kafkajs hands it on. Key and value are places in the response until somebody asks for them: the
 * window on one costs as much as the reading of all other parts.
 */
export class FetchedRecord {
  /** kafkajs keeps such records from the handler. */
  isControlRecord: boolean;

  constructor(
    readonly batchContext: BatchContext,
    readonly offset: string,
    readonly timestampMs: number,
    readonly source: Buffer,
    readonly keyAt: number,
    /** −1: no key. */
    readonly keyLength: number,
    readonly valueAt: number,
    /** −1: a tombstone. */
    readonly valueLength: number,
    readonly headers: RecordHeaders,
  ) {
    this.isControlRecord = batchContext.isControlBatch;
  }

  get timestamp(): string {
    return String(this.timestampMs);
  }

  get key(): Buffer | null {
    return windowOf(this.source, this.keyAt, this.keyLength);
  }

  get value(): Buffer | null {
    return windowOf(this.source, this.valueAt, this.valueLength);
  }
}

/** Whether bytes of a partition begin with a batch of this format; kafkajs reads the older ones. */
export function areRecordBatches(bytes: Buffer): boolean {
  return bytes[BATCH_AT.format] === BATCH_FORMAT;
}

/** All records of a partition's bytes, in their order. A batch that was cut off at the end is left for the next fetch. */
export async function decodeRecordBatches(bytes: Buffer): Promise<FetchedRecord[]> {
  const records: FetchedRecord[] = [];
  for (let from = 0; from + BATCH_AT.records <= bytes.length;) {
    const end = from + BATCH_AT.leaderEpoch + bytes.readInt32BE(from + BATCH_AT.length);
    if (end > bytes.length) break;
    await decodeBatch(bytes.subarray(from, end), records);
    from = end;
  }
  return records;
}

async function decodeBatch(batch: Buffer, into: FetchedRecord[]): Promise<void> {
  const attributes = batch.readInt16BE(BATCH_AT.attributes);
  const context: BatchContext = {
    firstOffset: batch.readBigInt64BE(BATCH_AT.firstOffset),
    firstTimestamp: Number(batch.readBigInt64BE(BATCH_AT.firstTimestamp)),
    maxTimestamp: Number(batch.readBigInt64BE(BATCH_AT.maxTimestamp)),
    isLogAppendTime: (attributes & BATCH_FLAGS.logAppendTime) !== 0,
    inTransaction: (attributes & BATCH_FLAGS.inTransaction) !== 0,
    isControlBatch: (attributes & BATCH_FLAGS.isControl) !== 0,
    producerId: String(batch.readBigInt64BE(BATCH_AT.producerId)),
  };
  const count = batch.readInt32BE(BATCH_AT.count);
  if (count <= 0) return;
  const codec = compression.lookupCodecByAttributes(attributes);
  const packed = batch.subarray(BATCH_AT.records);
  const reader = new VarintReader(codec === null ? packed : await codec.decompress(packed), 0);
  for (let i = 0; i < count; i += 1) into.push(decodeRecord(reader, context));
}

function decodeRecord(reader: VarintReader, context: BatchContext): FetchedRecord {
  const length = reader.read();
  const end = reader.at + length;
  reader.skip(1); // Attributes of a record: none are defined.
  const timestampDelta = reader.read();
  const offsetDelta = reader.read();
  const keyLength = reader.read();
  const keyAt = reader.skip(keyLength);
  const valueLength = reader.read();
  const valueAt = reader.skip(valueLength);
  const headers = decodeHeaders(reader);
  reader.leave(end);
  return new FetchedRecord(
    context,
    offsetOf(context.firstOffset, offsetDelta),
    context.isLogAppendTime ? context.maxTimestamp : context.firstTimestamp + timestampDelta,
    reader.bytes,
    keyAt,
    keyLength,
    valueAt,
    valueLength,
    headers,
  );
}

function offsetOf(first: bigint, delta: number): string {
  const offset = Number(first) + delta;
  return Number.isSafeInteger(offset) ? String(offset) : String(first + BigInt(delta));
}

/** A name that occurs twice has the list of its values. */
function decodeHeaders(reader: VarintReader): RecordHeaders {
  const count = reader.read();
  if (count <= 0) return NO_HEADERS;
  const headers = Object.create(null) as Record<string, RecordHeaders[string]>;
  for (let i = 0; i < count; i += 1) {
    const name = String(readBytes(reader));
    const value = readBytes(reader);
    const known = headers[name];
    headers[name] =
      known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
  }
  return headers;
}

function readBytes(reader: VarintReader): Buffer | null {
  const length = reader.read();
  return windowOf(reader.bytes, reader.skip(length), length);
}

function windowOf(bytes: Buffer, at: number, length: number): Buffer | null {
  return length < 0 ? null : bytes.subarray(at, at + length);
}
