import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import type { Observable } from 'rxjs';
import { BoundedSemaphoreInterceptor } from './bounded-semaphore.interceptor.js';
import { CreditInterceptor } from './credit.interceptor.js';
import { guarded, type RequestGuard } from './request-guard.js';

/**
 * The permit of `@UseSemaphore` and then the credits of `@UseCredits`, in one pass: each interceptor of a route costs the
 * framework a chain of promises and observables, whatever the interceptor itself does.
 */
@Injectable()
export class GuardInterceptor implements NestInterceptor, RequestGuard {
  constructor(
    private readonly permits: BoundedSemaphoreInterceptor,
    private readonly credits: CreditInterceptor,
  ) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    return guarded(this, context, next);
  }

  take(context: ExecutionContext, request: object): Promise<void> | undefined {
    const waiting = this.permits.take(context, request);
    if (waiting !== undefined) return waiting.then(() => this.takeCredits(context, request));
    return this.takeCredits(context, request);
  }

  giveBack(request: object): void {
    this.credits.giveBack(request);
    this.permits.giveBack(request);
  }

  /** Without credits the permit is not kept. */
  private takeCredits(context: ExecutionContext, request: object): Promise<void> | undefined {
    const giveUp = (error: unknown): never => {
      this.permits.giveBack(request);
      throw error;
    };
    try {
      return this.credits.take(context, request)?.catch(giveUp);
    } catch (error) {
      return giveUp(error);
    }
  }
}
