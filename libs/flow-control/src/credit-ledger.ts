import { LaneFloor } from './lane-floor.js';
import { CreditLot, type Lane, type LotBooks, LotList } from './lot.js';

/**
 * The books of a pool: who holds how much. It decides nothing; the pool grants, the ledger writes it down.
 *
 * 1. outstanding = the sum of the counts of all lots and of the count form, the same in bytes (I1, I4).
 * 2. granted − returned = outstanding at every moment. A surplus is counted and changes nothing else.
 * 3. `onReturn` runs after the books are right, with what was outstanding before.
 */
export class CreditLedger implements LotBooks {
  outstanding = 0;
  outstandingBytes = 0;
  granted = 0;
  returned = 0;
  surplus = 0;
  surplusBytes = 0;
  readonly lanes = new LaneFloor();
  private countForm = 0;
  private readonly lots = new LotList();

  constructor(
    readonly name: string,
    private readonly onReturn: (outstandingBefore: number) => void,
  ) {}

  get oldestGrantedAtMs(): number | undefined {
    return this.lots.oldest?.grantedAtMs;
  }

  take(count: number, bytes: number, lane: Lane | undefined, nowMs: number): CreditLot {
    const lot = new CreditLot(this, count, bytes, lane, nowMs);
    this.lots.append(lot);
    this.lanes.take(lane, count);
    this.outstandingBytes += bytes;
    this.countGrant(count);
    return lot;
  }

  giveBack(lot: CreditLot, count: number, bytes: number): void {
    lot.count -= count;
    lot.bytes -= bytes;
    if (lot.count === 0) this.lots.remove(lot);
    this.lanes.giveBack(lot.lane, count);
    this.outstandingBytes -= bytes;
    this.countReturn(count);
  }

  /** The count form: no lot, no bytes, no lane. */
  takeCount(count: number): void {
    this.countForm += count;
    this.countGrant(count);
  }

  giveBackCount(count: number): void {
    if (!(count > 0)) return;
    const given = Math.min(count, this.countForm);
    if (given < count) this.countSurplus(count - given, 0);
    if (given === 0) return;
    this.countForm -= given;
    this.countReturn(given);
  }

  countSurplus(count: number, bytes: number): void {
    this.surplus += count;
    this.surplusBytes += bytes;
  }

  private countGrant(count: number): void {
    this.outstanding += count;
    this.granted += count;
  }

  private countReturn(count: number): void {
    const before = this.outstanding;
    this.outstanding = before - count;
    this.returned += count;
    this.onReturn(before);
  }
}
