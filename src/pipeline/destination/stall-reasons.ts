/** Why a stage cannot work at the moment. It is stalled as long as there is one reason; changes are told once. */
export class StallReasons {
  private readonly reasons = new Set<string>();

  constructor(private readonly tell: (isStalled: boolean) => void) {}

  /** Adds the reason or takes it away. Idempotent. */
  set(reason: string, holds: boolean): void {
    const wasStalled = this.reasons.size > 0;
    if (holds) this.reasons.add(reason);
    else this.reasons.delete(reason);
    const isStalled = this.reasons.size > 0;
    if (isStalled !== wasStalled) this.tell(isStalled);
  }
}
