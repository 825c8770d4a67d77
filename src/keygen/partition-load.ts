import { partitionOf, type RandomSource, twoChoices } from '#libs/flow-control';
import type { KeyGenOptions } from './keygen.options.js';

export interface Imbalance {
  /** Partition with the most records in flight, and how many. */
  readonly most: { readonly partition: number; readonly inFlight: number };
  readonly least: { readonly partition: number; readonly inFlight: number };
}

interface Pin {
  readonly partition: number;
  count: number;
}

/** The imbalance is over when the difference has fallen to this share of the threshold. */
const CLEARS_AT_RATIO = 0.9;

/**
 * Records in flight per partition, and the choice of a partition.
 *
 * N1 same key, same partition over restarts: murmur2 of the key, as Kafka's producers do (without KEYGEN_REBALANCE_KEYS).
 * N2 no key is in two partitions at once: with KEYGEN_REBALANCE_KEYS a key is pinned while records of it are in flight.
 * N4 each `place` or `resume` is undone by exactly one `leave`.
 * Bounded by the pipeline's credits: every counted record and every pinned key holds one.
 */
export class PartitionLoad {
  private readonly inFlight: number[];
  private readonly partitions: readonly number[];
  private readonly pins = new Map<string, Pin>();
  private turn = 0;
  private isImbalanced = false;

  constructor(
    private readonly options: KeyGenOptions,
    private readonly random: RandomSource,
  ) {
    this.inFlight = Array.from({ length: options.numberOfPartitions }, () => 0);
    this.partitions = this.inFlight.map((_, partition) => partition);
  }

  /** Keys with records in flight; counted only with KEYGEN_REBALANCE_KEYS. */
  get pinnedKeys(): number {
    return this.pins.size;
  }

  /** Records in flight of each partition. */
  counts(): readonly number[] {
    return this.inFlight;
  }

  /** Chooses the partition of a record and counts it there. */
  place(key: string | undefined): number {
    const partition = key === undefined ? this.placeKeyless() : this.placeKey(key);
    this.resume(key, partition);
    return partition;
  }

  /**
   * The same for a record whose key always has its home partition: more of the key may wait in its source (Kafka), where
   * nobody can see them. It is not pinned: leave it without its key.
   */
  placeFixed(key: string | undefined): number {
    const partition =
      key === undefined ? this.placeKeyless() : partitionOf(key, this.inFlight.length);
    this.resume(undefined, partition);
    return partition;
  }

  /** Counts a record whose partition was chosen by an earlier run. */
  resume(key: string | undefined, partition: number): void {
    this.inFlight[partition] = this.countOf(partition) + 1;
    if (key === undefined || !this.options.rebalanceKeys) return;
    const pin = this.pins.get(key);
    if (pin === undefined) this.pins.set(key, { partition, count: 1 });
    else pin.count += 1;
  }

  /** A counted record has reached its end, or was not accepted. */
  leave(key: string | undefined, partition: number): void {
    this.inFlight[partition] = this.countOf(partition) - 1;
    if (key === undefined) return;
    const pin = this.pins.get(key);
    if (pin === undefined) return;
    pin.count -= 1;
    if (pin.count === 0) this.pins.delete(key);
  }

  /** The imbalance, once when it begins; undefined before, during and after. */
  newImbalance(): Imbalance | undefined {
    let most = 0;
    let least = 0;
    for (let i = 1; i < this.inFlight.length; i += 1) {
      if (this.countOf(i) > this.countOf(most)) most = i;
      if (this.countOf(i) < this.countOf(least)) least = i;
    }
    const difference = this.countOf(most) - this.countOf(least);
    const { loadImbalanceThreshold } = this.options;
    const wasImbalanced = this.isImbalanced;
    this.isImbalanced = wasImbalanced
      ? difference > loadImbalanceThreshold * CLEARS_AT_RATIO
      : difference > loadImbalanceThreshold;
    if (wasImbalanced || !this.isImbalanced) return undefined;
    return {
      most: { partition: most, inFlight: this.countOf(most) },
      least: { partition: least, inFlight: this.countOf(least) },
    };
  }

  private placeKeyless(): number {
    if (this.options.enableLoadAwareness) return this.chooseOfTwo();
    const partition = this.turn;
    this.turn = (partition + 1) % this.inFlight.length;
    return partition;
  }

  private placeKey(key: string): number {
    const home = partitionOf(key, this.inFlight.length);
    if (!this.options.rebalanceKeys) return home;
    const pin = this.pins.get(key);
    if (pin !== undefined) return pin.partition;
    const least = Math.min(...this.inFlight);
    const isTooFull = this.countOf(home) - least > this.options.loadImbalanceThreshold;
    return isTooFull ? this.chooseOfTwo() : home;
  }

  private chooseOfTwo(): number {
    return twoChoices(this.partitions, (partition) => this.countOf(partition), this.random);
  }

  private countOf(partition: number): number {
    return this.inFlight[partition] ?? 0;
  }
}
