import type { SourceGrant, SourceHandler, SourceRecord, SourceSlice } from '#libs/kafka';

/** A pipeline of its own: takes slices within a number of credits, and ends records at once, later, or never. */
export class CollectingHandler implements SourceHandler {
  readonly slices: SourceSlice[] = [];
  /** Credits left. */
  credits = Infinity;
  /** Says which slices end as soon as they come; the others wait for `finish`. */
  endsAtOnce: (slice: SourceSlice) => boolean = () => true;
  /** Called before a slice is taken; may throw. */
  onOffer: (slice: SourceSlice) => void = () => undefined;
  /** Grants that came back unused. */
  released = 0;
  waits = 0;
  headroomRatio = 1;
  mostOutstanding = 0;
  private outstanding = 0;
  private readonly open: SourceSlice[] = [];

  get records(): SourceRecord[] {
    return this.slices.flatMap(({ records }) => [...records]);
  }

  /** Values as text, of one partition or all. */
  values(partition?: number): string[] {
    return this.slices
      .filter((slice) => partition === undefined || slice.partition === partition)
      .flatMap(({ records }) => records.map(({ value }) => value?.toString() ?? ''));
  }

  request(count: number): SourceGrant | undefined {
    const granted = Math.min(count, this.credits);
    if (granted <= 0) return undefined;
    this.credits -= granted;
    return {
      count: granted,
      release: () => {
        this.released += granted;
        this.credits += granted;
      },
    };
  }

  wait(
    count: number,
    _sizes: ArrayLike<number>,
    _lane: number,
    { timeoutMs, signal }: { signal: AbortSignal; timeoutMs: number },
  ): Promise<SourceGrant | undefined> {
    this.waits += 1;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve(signal.aborted ? undefined : this.request(count));
      };
      const timer = setTimeout(end, timeoutMs);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  offer(slice: SourceSlice): void {
    this.onOffer(slice);
    this.slices.push(slice);
    this.outstanding += slice.records.length;
    this.mostOutstanding = Math.max(this.mostOutstanding, this.outstanding);
    if (this.endsAtOnce(slice)) this.end(slice);
    else this.open.push(slice);
  }

  headroom(): number {
    return this.headroomRatio;
  }

  /** Ends the slices that are still open; records of slices that begin later end as `endsAtOnce` says. */
  finish(which: (slice: SourceSlice) => boolean = () => true): void {
    for (const slice of this.open.splice(0)) {
      if (which(slice)) this.end(slice);
      else this.open.push(slice);
    }
  }

  private end({ records, completion }: SourceSlice): void {
    const [first] = records;
    const last = records.at(-1);
    this.outstanding -= records.length;
    this.credits += records.length;
    if (first && last) completion.done(first.offset, last.offset);
  }
}
