import type { Batch, IHeaders, KafkaMessage } from 'kafkajs';
import { CopyBlocks } from './copy-blocks.js';
import type { SourceRecord } from './kafka-source.js';
import type { OffsetWatermark } from './offset-watermark.js';
import { FetchedRecord } from './record-decoding.js';

/** At run time a batch knows the offset it was asked for; the typings of 2.2.4 don't. */
export interface PositionedBatch extends Batch {
  readonly fetchedOffset: string;
}

type Header = readonly [name: string, value: Buffer];

const NO_HEADERS: readonly Header[] = [];
const NO_VALUE = Buffer.alloc(0);

function headersOf(headers: IHeaders | undefined): readonly Header[] {
  if (!headers) return NO_HEADERS;
  const pairs: Header[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) {
      // Kafka's protocol allows null, its typings don't.
      pairs.push([name, typeof one === 'string' ? Buffer.from(one) : (one ?? NO_VALUE)]);
    }
  }
  return pairs;
}

const headerBytes = (headers: readonly Header[]): number =>
  headers.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + value.length, 0);

function contentBytes(message: KafkaMessage): number {
  if (message instanceof FetchedRecord) {
    return Math.max(0, message.keyLength) + Math.max(0, message.valueLength);
  }
  return (message.key?.length ?? 0) + (message.value?.length ?? 0);
}

type Content = readonly [key: Buffer | null, value: Buffer | null];

function copiesOf(message: KafkaMessage, blocks: CopyBlocks): Content {
  if (message instanceof FetchedRecord) {
    const { source, keyAt, keyLength, valueAt, valueLength } = message;
    return [
      keyLength < 0 ? null : blocks.copyOf(source, keyAt, keyLength),
      valueLength < 0 ? null : blocks.copyOf(source, valueAt, valueLength),
    ];
  }
  const { key, value } = message;
  return [key && blocks.copy(key), value && blocks.copy(value)];
}

/**
 * The messages of one fetch as columns: what the credits, the watermark and the copies need of them, computed once.
 */
export class FetchedBatch {
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly sizes: Uint32Array;
  readonly bytes: number;
  private readonly headers: (readonly Header[])[] | undefined;

  constructor(
    readonly messages: readonly KafkaMessage[],
    private readonly mark: OffsetWatermark,
  ) {
    const { length } = messages;
    this.offsets = new Float64Array(length);
    this.timestamps = new Float64Array(length);
    this.sizes = new Uint32Array(length);
    let total = 0;
    for (let i = 0; i < length; i += 1) {
      const message = messages[i];
      if (!message) continue;
      const headers = headersOf(message.headers);
      if (headers.length > 0) (this.headers ??= [])[i] = headers;
      const bytes = contentBytes(message) + headerBytes(headers);
      this.offsets[i] = mark.parse(message.offset);
      this.timestamps[i] =
        message instanceof FetchedRecord ? message.timestampMs : Number(message.timestamp);
      this.sizes[i] = bytes;
      total += bytes;
    }
    this.bytes = total;
  }

  get length(): number {
    return this.messages.length;
  }

  offset(index: number): string {
    return this.messages[index]?.offset ?? '';
  }

  bytesOf(from: number, count: number): number {
    let sum = 0;
    for (let i = from; i < from + count; i += 1) sum += this.sizes[i] ?? 0;
    return sum;
  }

  /**
   * Copies: a field of a message is a window on the whole response, and one slow record would keep all of it. Neighbours
   * share a block, so that not every record is an allocation of its own outside of the heap: a slow record keeps a block.
   */
  copy(from: number, count: number): SourceRecord[] {
    const records = Array<SourceRecord>(count);
    const blocks = new CopyBlocks(this.bytesOf(from, count));
    for (let i = 0; i < count; i += 1) records[i] = this.copyOf(from + i, blocks);
    return records;
  }

  private copyOf(index: number, blocks: CopyBlocks): SourceRecord {
    const [key, value] = copiesOf(this.messages[index]!, blocks);
    const headers = this.headers?.[index];
    return {
      offset: this.mark.absolute(this.offsets[index] ?? 0),
      timestampMs: this.timestamps[index] ?? 0,
      key,
      value,
      headers: headers?.map(
        ([name, bytes]) => [name, Uint8Array.prototype.slice.call(bytes) as Buffer] as const,
      ),
      sizeBytes: this.sizes[index] ?? 0,
    };
  }
}
