import type { SourceCounters } from './source-counters.js';
import type { KafkaSourceEvents, SourceState } from './source-events.js';

/**
 * Where records come from. No type of a client library appears here, so that a pull client fits as well: a slice is a
 * plain array, and heartbeats, fetches and pauses stay inside the adapter.
 *
 * Flows: records go to `SourceHandler.offer` in slices, each with the credits it was granted; completions come back
 * through the slice, in any order. What is complete goes to `KafkaBooks`, and only then to the group's offsets.
 */
export interface SourceRecord {
  readonly offset: bigint;
  /** Epoch ms, as the producer or the broker wrote it. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer])[] | undefined;
  /** Key, value, header names and values. */
  readonly sizeBytes: number;
}

export interface SliceCompletion {
  /** The records from `firstOffset` to `lastOffset` reached their end; the books hold it with the next flush. Runs may come in any order. */
  done(firstOffset: bigint, lastOffset: bigint): void;
}

/** Of a source whose offsets are committed with what became of the records: what a transaction needs to know. */
export interface OrderedCompletion extends SliceCompletion {
  /** False when the partition is somebody else's by now, or is read anew: then these records are too. */
  readonly isOurs: boolean;
  /**
   * Of records of this partition that are to end, at ascending offsets: how many can end together so that nothing in
   * flight is left below the last of them, and the offset at which the group would go on then. What lies below `from`
   * counts as ended.
   */
  cut(offsets: readonly bigint[], from: bigint): { count: number; nextOffset: bigint };
  /** Calls back once: when records of the partition have ended, or it is no longer ours. */
  whenMoved(callback: () => void): void;
}

/** Records of one partition, in the order of their offsets. */
export interface SourceSlice {
  readonly topic: string;
  /** Counts how often a topic of this name was made: offsets mean something within one incarnation only. */
  readonly incarnation: number;
  readonly partition: number;
  readonly records: readonly SourceRecord[];
  readonly completion: SliceCompletion;
}

export interface SourceGrant {
  readonly count: number;
  /** Gives back what was not handed over. */
  release(): void;
}

/** Who takes the records. */
export interface SourceHandler {
  /** Credits for the longest prefix of `count` records that can be had at once; undefined = none. */
  request(count: number, sizes: ArrayLike<number>, lane: number): SourceGrant | undefined;
  /**
   * Waits for the same, at most `timeoutMs`; undefined = not yet, ask again: the place in the line is kept until
   * `signal` aborts, which it does when the source will not ask again.
   */
  wait(
    count: number,
    sizes: ArrayLike<number>,
    lane: number,
    options: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<SourceGrant | undefined>;
  /** Owns the records and the grant from here on. Must not throw. */
  offer(slice: SourceSlice, grant: SourceGrant): void;
  /** Share of the credits' limit that could be granted now, 0..1; a stalled partition is fetched again from 0.2. */
  headroom(): number;
}

export interface BookedSource {
  readonly source: number;
  readonly incarnation: number;
  /** False as long as no partition of the topic ever had a position in the books. */
  readonly isKnown: boolean;
}

/** Where a partition begins that the books don't know yet. */
export interface PartitionStart {
  readonly partition: number;
  readonly startOffset: bigint;
}

export interface BookedPartition {
  readonly partition: number;
  /** The fence: writes with a smaller one are refused from now on. */
  readonly epoch: bigint;
  /** All offsets below are terminal. */
  readonly low: bigint;
  /** Terminal offsets above `low`: bit i (lowest first) is offset `low` + i. */
  readonly doneAbove: Buffer;
  /** Offsets below `low` that held no record. */
  readonly gaps: bigint;
  /** Timestamp of the record at `low` − 1; undefined when none is known. */
  readonly boundaryTimestampMs: number | undefined;
}

export interface BookEntry extends BookedPartition {
  readonly source: number;
  /** Records between the last kept `low` and this one. */
  readonly records: bigint;
}

/** The durable account of what is done. An abstract class, to serve as an injection token. */
export abstract class KafkaBooks {
  /** The topic's newest incarnation; the first one is made when there is none. */
  abstract source(topic: string): Promise<BookedSource>;
  /** Makes incarnation `after` + 1, unless somebody else did: then returns the newest. */
  abstract nextIncarnation(topic: string, after: number): Promise<BookedSource>;
  /** Takes the partitions (epoch + 1) and reads their books; a partition without books gets its start. */
  abstract assign(
    source: number,
    starts: readonly PartitionStart[],
  ): Promise<readonly BookedPartition[]>;
  /** Keeps all entries in one statement; returns those kept. One that is missing belongs to somebody else by now. */
  abstract write(
    entries: readonly BookEntry[],
  ): Promise<readonly { readonly source: number; readonly partition: number }[]>;
  /**
   * The same for entries whose records below `low` have ended without these books: those without an end in them count as
   * acknowledged.
   */
  abstract follow(
    entries: readonly BookEntry[],
  ): Promise<readonly { readonly source: number; readonly partition: number }[]>;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** End of the partition − first offset that is not terminal. */
  readonly records: number;
  /** End of the partition − offset committed to the group. */
  readonly committedRecords: number;
  readonly seconds: number;
  /** True when the real lag may be longer than `seconds`. */
  readonly isAtLeast: boolean;
}

export interface PartitionSnapshot {
  readonly topic: string;
  readonly partition: number;
  readonly lane: number;
  readonly incarnation: number;
  readonly low: bigint | undefined;
  readonly next: bigint | undefined;
  readonly inFlight: number;
  readonly pausedFor: readonly string[];
  readonly pausedMs: number;
}

export interface KafkaSourceSnapshot {
  readonly state: SourceState;
  /** Why, when `waiting` or `failed`. */
  readonly detail: string | undefined;
  readonly inFlight: number;
  /** Fetched, not yet credited. */
  readonly waitingBytes: number;
  readonly partitions: readonly PartitionSnapshot[];
  readonly counters: Readonly<SourceCounters>;
}

export abstract class KafkaSource {
  abstract readonly events: KafkaSourceEvents;
  /** Returns at once; connects, and connects again after a crash, in the background. Once only. */
  abstract start(handler: SourceHandler, books: KafkaBooks): void;
  /** Stops fetching one lane or all; reasons add up, and only `resume` with the same reason takes one away. Idempotent. */
  abstract pause(reason: string, lane?: number): void;
  abstract resume(reason: string, lane?: number): void;
  /** Hands nothing over any more, waits while completions arrive, at most `deadlineMs`, then keeps and commits what is done. */
  abstract drain(deadlineMs: number): Promise<void>;
  /** Keeps and commits what is done and leaves the group. Idempotent. */
  abstract stop(): Promise<void>;
  abstract lag(): readonly PartitionLag[];
  abstract snapshot(): KafkaSourceSnapshot;
}
