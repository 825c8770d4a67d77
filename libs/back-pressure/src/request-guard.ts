import type { CallHandler, ExecutionContext } from '@nestjs/common';
import { finalize, type Observable } from 'rxjs';

/** What an interceptor takes for a request before its handler runs, and gives back behind it. */
export interface RequestGuard {
  /** Undefined: taken at once, or there was nothing to take. Otherwise it waits; when it throws or rejects nothing is taken. */
  take(context: ExecutionContext, request: object): Promise<void> | undefined;
  /** Idempotent: what the handler has taken over or given back is not there any more. */
  giveBack(request: object): void;
}

/** Runs the handler with what the guard takes, which goes back in `finalize`: answer, error and unsubscribe are one path. */
export function guarded(
  guard: RequestGuard,
  context: ExecutionContext,
  next: CallHandler,
): Observable<unknown> | Promise<Observable<unknown>> {
  const request = context.switchToHttp().getRequest<object>();
  const handled = (): Observable<unknown> =>
    next.handle().pipe(finalize(() => guard.giveBack(request)));
  const waiting = guard.take(context, request);
  return waiting === undefined ? handled() : waiting.then(handled);
}
