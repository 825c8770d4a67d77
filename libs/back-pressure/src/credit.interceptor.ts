import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { Observable } from 'rxjs';
import { BackPressureController } from './back-pressure-controller.js';
import { whileClientStays } from './client-left.js';
import { CREDIT_USE, type CreditUse, metadataOf } from './interceptor-metadata.js';
import { grantsOf } from './request-grants.js';
import { guarded, type RequestGuard } from './request-guard.js';

/**
 * Takes the credits that `@UseCredits` asks for: at once if they are there, and only otherwise by waiting, as long as
 * the client stays.
 */
@Injectable()
export class CreditInterceptor implements NestInterceptor, RequestGuard {
  constructor(
    private readonly controller: BackPressureController,
    private readonly reflector: Reflector,
  ) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    return guarded(this, context, next);
  }

  take(context: ExecutionContext, request: object): Promise<void> | undefined {
    const use = metadataOf<CreditUse>(this.reflector, CREDIT_USE, context);
    const count = use.countOf?.(request) ?? 1;
    const grants = grantsOf(request);
    if (count === 0 || grants.hasAskedCredits) return undefined;
    grants.hasAskedCredits = true;
    if (this.tryTake(request, use, count)) return undefined;
    return whileClientStays(context, (signal) => this.waitFor(request, use, count, signal));
  }

  giveBack(request: object): void {
    const { admission, lot } = grantsOf(request);
    admission?.release();
    lot?.[Symbol.dispose]();
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

  private async waitFor(
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
