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
import { metadataOf, SEMAPHORE_USE } from './interceptor-metadata.js';
import { grantsOf, releasePermit } from './request-grants.js';
import { guarded, type RequestGuard } from './request-guard.js';

/** Takes the permit that `@UseSemaphore` names: at once if one is there, else by waiting as long as the client stays. */
@Injectable()
export class BoundedSemaphoreInterceptor implements NestInterceptor, RequestGuard {
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
    const name = metadataOf<string>(this.reflector, SEMAPHORE_USE, context);
    const grants = grantsOf(request);
    if (grants.hasAskedPermit) return undefined;
    grants.hasAskedPermit = true;
    grants.permit = this.controller.semaphore(name).tryAcquire();
    if (grants.permit !== undefined) return undefined;
    return whileClientStays(context, async (signal) => {
      grants.permit = await this.controller.acquirePermit(name, { signal });
    });
  }

  giveBack(request: object): void {
    releasePermit(request);
  }
}
