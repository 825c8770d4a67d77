import type { OrderedCompletion, SliceCompletion } from '#libs/kafka';
import type { Origin, PipelineRecord } from '../pipeline/record.js';

/** Where a Kafka record stands; its id says nothing else. */
export interface KafkaPosition {
  readonly topic: string;
  /** Counts how often a topic of this name was made. */
  readonly incarnation: number;
  readonly partition: number;
  readonly offset: bigint;
}

/** What a Kafka record came with: there is no journal row that would keep it. */
export interface KafkaOriginal {
  readonly key: Buffer | null;
  /** Null for a tombstone. */
  readonly value: Buffer | null;
}

/** The origin of Kafka records. */
export interface KafkaOrigin extends Origin {
  /** Asked for a dead letter, before the record is settled. */
  original(record: PipelineRecord): KafkaOriginal;
}

/** Names a partition within the books: the record id without its offset. */
export function partitionId(topic: string, incarnation: number, partition: number): string {
  return incarnation === 1
    ? `${topic}:${partition}`
    : `${topic}${INCARNATION_MARK}${incarnation}:${partition}`;
}

/** The id of a Kafka record: `topic:partition:offset`, from the second incarnation on `topic@2:partition:offset`. */
export function positionId({ topic, incarnation, partition, offset }: KafkaPosition): string {
  return `${partitionId(topic, incarnation, partition)}:${offset}`;
}

const INCARNATION_MARK = '@';
/** A topic's name holds neither `@` nor `:`. Numbers without leading zeros, so that each position has one id. */
const POSITION = /^([A-Za-z0-9._-]{1,249})(?:@([1-9]\d{0,8}))?:(0|[1-9]\d{0,8}):(0|[1-9]\d{0,18})$/;
const MAX_OFFSET = 2n ** 63n - 1n;

/** Undefined for a text that is no id of a Kafka record. */
export function parsePosition(id: string): KafkaPosition | undefined {
  const match = POSITION.exec(id);
  if (match === null) return undefined;
  const [, topic = '', mark, partition = '', digits = ''] = match;
  const incarnation = Number(mark ?? 1);
  const offset = BigInt(digits);
  if ((mark !== undefined && incarnation < 2) || offset > MAX_OFFSET) return undefined;
  return { topic, incarnation, partition: Number(partition), offset };
}

/** Undefined when the origin keeps nothing: then the record is all there is. */
export function originalOf(record: PipelineRecord): KafkaOriginal | undefined {
  const { origin } = record;
  return 'original' in origin ? (origin as KafkaOrigin).original(record) : undefined;
}

/** What the record's source knows of the order of ends; undefined for a record that did not come from such a source. */
export function orderOf({ origin }: PipelineRecord): OrderedCompletion | undefined {
  if (!('completion' in origin)) return undefined;
  const completion = origin.completion as SliceCompletion;
  return 'cut' in completion ? (completion as OrderedCompletion) : undefined;
}
