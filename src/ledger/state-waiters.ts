interface Waiter {
  readonly isMet: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Who waits for a state. Whoever changes the state calls `look`. */
export class StateWaiters {
  private waiting: Waiter[] = [];

  /** Resolves at once when it is so already. */
  when(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve, reject) => this.waiting.push({ isMet, resolve, reject }));
  }

  look(): void {
    const { waiting } = this;
    this.waiting = waiting.filter(({ isMet }) => !isMet());
    for (const { isMet, resolve } of waiting) if (isMet()) resolve();
  }

  /** It will never be so. */
  reject(error: Error): void {
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
