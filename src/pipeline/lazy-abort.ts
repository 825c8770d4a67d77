/**
 * An AbortController that is made when somebody asks for its signal: one costs more than all that a record's way through
 * a stage does, and most are never looked at.
 */
export class LazyAbort {
  private controller: AbortController | undefined;
  private aborted: { readonly reason: Error } | undefined;

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.aborted !== undefined) this.controller.abort(this.aborted.reason);
    }
    return this.controller.signal;
  }

  /** Idempotent: the first reason counts. */
  abort(reason: Error): void {
    this.aborted ??= { reason };
    this.controller?.abort(reason);
  }
}
