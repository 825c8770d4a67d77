import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { finalize, type Observable } from 'rxjs';
import { BackPressureController } from './back-pressure-controller.js';
import { whileClientStays } from './client-left.js';
import { CREDIT_USE, type CreditUse, metadataOf } from './interceptor-metadata.js';
import { admissionOf, grantsOf, isFirstAsking, lotOf } from './request-grants.js';

/**
 * Takes the credits that `@UseCredits` asks for: at once if they are there, and only otherwise by waiting, as long as
 * the client stays. They go back in `finalize`, so that answer, error and unsubscribe are one path.
 */
@Injectable()
export class CreditInterceptor implements NestInterceptor {
  constructor(
    private readonly controller: BackPressureController,
    private readonly reflector: Reflector,
  ) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    const use = metadataOf<CreditUse>(this.reflector, CREDIT_USE, context);
    const request = context.switchToHttp().getRequest<object>();
    const count = use.countOf?.(request) ?? 1;
    if (count === 0 || !isFirstAsking(request, 'credits')) return next.handle();
    if (this.tryTake(request, use, count)) return handled(request, next);
    return whileClientStays(context, (signal) => this.take(request, use, count, signal)).then(() =>
      handled(request, next),
    );
  }

  private tryTake(request: object, { stage, sizesOf }: CreditUse, count: number): boolean {
    const sizes = sizesOf?.(request);
    const grants = grantsOf(request);
    if (stage !== this.controller.entryStage) {
      grants.lot = this.controller.requestCredits(stage, count, sizes);
      return grants.lot !== undefined;
    }
    grants.admission = this.controller.tryAdmit(count, sizes);
    return grants.admission !== undefined;
  }

  private async take(
    request: object,
    { stage, sizesOf }: CreditUse,
    count: number,
    signal: AbortSignal,
  ): Promise<void> {
    const options = { signal, sizes: sizesOf?.(request) ?? 0 };
    const grants = grantsOf(request);
    if (stage === this.controller.entryStage) {
      grants.admission = await this.controller.admit(count, options);
    } else {
      const timeoutMs = this.controller.waitMs;
      grants.lot = await this.controller.acquireCredits(stage, count, { ...options, timeoutMs });
    }
  }
}

function handled(request: object, next: CallHandler): Observable<unknown> {
  return next.handle().pipe(
    finalize(() => {
      admissionOf(request)?.release();
      lotOf(request)?.[Symbol.dispose]();
    }),
  );
}
