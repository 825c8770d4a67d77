/**
 * How many letters count towards the bound, as this process knows it: read from the table now and then, and moved by what
 * happens here in between.
 *
 * LC1 what is committed here while the table is read counts twice rather than not at all; the next reading mends it.
 * LC2 letters that are taken up here take no room: their records are inside the pipeline, with credits. So a record that
 *     waits for room can't hold up the redrive that would make it; the bound is exceeded by no more than those.
 */
export class LetterCount {
  private waitingNow = 0;
  private redrivingNow = 0;
  private addedHere = 0;
  private takenUpNow = 0;

  constructor(readonly maxLetters: number) {}

  get waiting(): number {
    return this.waitingNow;
  }

  get redriving(): number {
    return this.redrivingNow;
  }

  get total(): number {
    return this.waitingNow + this.redrivingNow;
  }

  /** Letters that may still be written. */
  get free(): number {
    return this.maxLetters - this.total + this.takenUpNow;
  }

  /** Changes the number of letters of a state. */
  move(change: { readonly waiting?: number; readonly redriving?: number }): void {
    const { waiting = 0, redriving = 0 } = change;
    this.waitingNow = Math.max(0, this.waitingNow + waiting);
    this.redrivingNow = Math.max(0, this.redrivingNow + redriving);
    if (waiting > 0) this.addedHere += waiting;
  }

  takenUp(letters: number): void {
    this.takenUpNow = letters;
  }

  /** Begins a reading of the table; what it gives takes over the answer. */
  reading(): (waiting: number, redriving: number) => void {
    const before = this.addedHere;
    return (waiting, redriving) => {
      this.waitingNow = waiting + (this.addedHere - before);
      this.redrivingNow = redriving;
    };
  }
}
