/** What can be paused: everything that brings records, one source, or the deliveries to one sink. */
export type PauseTarget = 'pipeline' | `source:${string}` | `sink:${string}`;

/**
 * What operators hold back. A pause stops what is to come, never what is inside: its records keep their credits, so that
 * a paused sink becomes pressure.
 *
 * PS1 the pause of the pipeline is a pause of every source, and of what is sent again from dead letters; it holds for no
 *     sink.
 * PS2 as long as nobody knows what is paused, everything is.
 * PS3 listeners hear of a change after it holds, and only of a change.
 */
export class Pauses {
  private targets: ReadonlySet<PauseTarget> = new Set();
  private isUnknown = false;
  private readonly sinkNames = new Set<string>();
  private readonly listeners: (() => void)[] = [];

  all(): readonly PauseTarget[] {
    return [...this.targets].toSorted();
  }

  get isPipelinePaused(): boolean {
    return this.isUnknown || this.targets.has('pipeline');
  }

  isSourcePaused(name: string): boolean {
    return this.isPipelinePaused || this.targets.has(`source:${name}`);
  }

  /** By the name that the books know the destination by. */
  isSinkPaused(name: string): boolean {
    return this.isUnknown || this.targets.has(`sink:${name}`);
  }

  /** The sinks that can be paused: those that listen. */
  sinks(): readonly string[] {
    return [...this.sinkNames];
  }

  /** For the sink of this name; the listener hears of changes of its own pause only, and must not throw. */
  onSink(name: string, listener: (isPaused: boolean) => void): void {
    this.sinkNames.add(name);
    let was = this.isSinkPaused(name);
    this.onChange(() => {
      const is = this.isSinkPaused(name);
      if (is === was) return;
      was = is;
      listener(is);
    });
  }

  /** Listeners must not throw. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Pauses exactly these. */
  set(targets: Iterable<PauseTarget>): void {
    const next = new Set(targets);
    const isSame =
      next.size === this.targets.size && [...next].every((each) => this.targets.has(each));
    if (isSame && !this.isUnknown) return;
    this.isUnknown = false;
    this.targets = next;
    this.tell();
  }

  /** Pauses everything until `set` says what is to be paused (PS2). */
  holdUntilKnown(): void {
    if (this.isUnknown) return;
    this.isUnknown = true;
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
