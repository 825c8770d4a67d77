import {
  type CallHandler,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { finalize, type Observable } from 'rxjs';
import type { Permit } from '#libs/flow-control';
import { BackPressureController } from './back-pressure-controller.js';
import { whileClientStays } from './client-left.js';
import { metadataOf, SEMAPHORE_USE } from './interceptor-metadata.js';
import { grantsOf, isFirstAsking, permitOf } from './request-grants.js';

/** Takes the permit that `@UseSemaphore` names: at once if one is there, else by waiting as long as the client stays. */
@Injectable()
export class BoundedSemaphoreInterceptor implements NestInterceptor {
  constructor(
    private readonly controller: BackPressureController,
    private readonly reflector: Reflector,
  ) {}

  intercept(
    context: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> | Promise<Observable<unknown>> {
    const name = metadataOf<string>(this.reflector, SEMAPHORE_USE, context);
    const request = context.switchToHttp().getRequest<object>();
    if (!isFirstAsking(request, 'permit')) return next.handle();
    const permit = this.controller.semaphore(name).tryAcquire();
    if (permit !== undefined) return handled(request, permit, next);
    return whileClientStays(context, (signal) =>
      this.controller.acquirePermit(name, { signal }),
    ).then((waitedFor) => handled(request, waitedFor, next));
  }
}

function handled(request: object, permit: Permit, next: CallHandler): Observable<unknown> {
  grantsOf(request).permit = permit;
  return next.handle().pipe(finalize(() => permitOf(request).release()));
}
