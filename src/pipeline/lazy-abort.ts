import { setMaxListeners } from 'node:events';

/**
 * An AbortController that is made when somebody asks for its signal: one costs more than all that a record's way through
 * a stage does, and most are never looked at.
 *
 * Each record of a batch that waits listens; a batch is bounded, and Node would warn of a leak on every one.
 */
export class LazyAbort {
  private controller: AbortController | undefined;
  private aborted: { readonly reason: Error } | undefined;

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      setMaxListeners(Infinity, this.controller.signal);
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
