/** The owner object of one grant: one per batch, not per record. */
export interface Lot {
  /** The name of the pool. */
  readonly pool: string;
  /** Credits not given back yet. */
  readonly count: number;
  /** Bytes not given back yet. */
  readonly bytes: number;
  /** Monotonic milliseconds. */
  readonly grantedAtMs: number;
  /**
   * Gives `count` credits back (default: all that are left). More than is left is counted as surplus and ignored.
   * `bytes` defaults to the same share of the bytes that are left; the last credit takes all of them along.
   */
  release(count?: number, bytes?: number): void;
  /** Gives back what is left, if anything is. */
  [Symbol.dispose](): void;
}

export type Lane = string | number;

/** The books a lot is written in. */
export interface LotBooks {
  readonly name: string;
  giveBack(lot: CreditLot, count: number, bytes: number): void;
  countSurplus(count: number, bytes: number): void;
}

export class CreditLot implements Lot {
  /** Neighbours by grant time, kept by the LotList. */
  older: CreditLot | undefined = undefined;
  newer: CreditLot | undefined = undefined;

  constructor(
    private readonly books: LotBooks,
    public count: number,
    public bytes: number,
    readonly lane: Lane | undefined,
    readonly grantedAtMs: number,
  ) {}

  get pool(): string {
    return this.books.name;
  }

  release(count?: number, bytes?: number): void {
    const left = this.count;
    const asked = count ?? Math.max(1, left);
    if (!(asked > 0)) return;
    const given = Math.min(asked, left);
    const share = given === left ? this.bytes : Math.round((this.bytes * given) / left);
    const askedBytes = Math.max(0, bytes ?? share);
    const surplusBytes = Math.max(0, askedBytes - this.bytes);
    if (given < asked || surplusBytes > 0) this.books.countSurplus(asked - given, surplusBytes);
    if (given === 0) return;
    this.books.giveBack(this, given, given === left ? this.bytes : askedBytes - surplusBytes);
  }

  [Symbol.dispose](): void {
    if (this.count > 0) this.release();
  }
}

/** The lots that are out, oldest first; every step is O(1). */
export class LotList {
  private head: CreditLot | undefined;
  private tail: CreditLot | undefined;

  get oldest(): CreditLot | undefined {
    return this.head;
  }

  append(lot: CreditLot): void {
    lot.older = this.tail;
    if (this.tail === undefined) this.head = lot;
    else this.tail.newer = lot;
    this.tail = lot;
  }

  remove(lot: CreditLot): void {
    const { older, newer } = lot;
    if (older === undefined) this.head = newer;
    else older.newer = newer;
    if (newer === undefined) this.tail = older;
    else newer.older = older;
    // A spent lot that somebody keeps must not keep its neighbours alive.
    lot.older = undefined;
    lot.newer = undefined;
  }
}
