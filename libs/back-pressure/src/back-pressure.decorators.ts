import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import type { Sizes } from '#libs/flow-control';
import { BoundedSemaphoreInterceptor } from './bounded-semaphore.interceptor.js';
import { CreditInterceptor } from './credit.interceptor.js';
import { GuardInterceptor } from './guard.interceptor.js';
import { type CreditUse, CREDIT_USE, SEMAPHORE_USE } from './interceptor-metadata.js';

interface CreditUseOptions<Request extends object> {
  readonly countOf?: (request: Request) => number;
  readonly sizesOf?: (request: Request) => Sizes;
}

/**
 * The handler runs with credits of the stage: of the entry stage an admission (with the pipeline's credits), of another
 * one a lot. Asks once per request, for `countOf(request)` records (default 1; 0: asks for nothing) of `sizesOf(request)`
 * bytes (default 0); the grant may be smaller. What the handler does not take over goes back when the request ends.
 */
export function UseCredits<Request extends object = object>(
  stage: string,
  options: CreditUseOptions<Request> = {},
): MethodDecorator & ClassDecorator {
  const use = { stage, ...options } as CreditUse;
  return applyDecorators(SetMetadata(CREDIT_USE, use), UseInterceptors(CreditInterceptor));
}

/**
 * Both in one: a permit of the named semaphore, then credits of the stage. Cheaper than the two decorators
 * one above the other, by one interceptor.
 */
export function UseSemaphoreAndCredits<Request extends object = object>(
  semaphore: string,
  stage: string,
  options: CreditUseOptions<Request> = {},
): MethodDecorator & ClassDecorator {
  const use = { stage, ...options } as CreditUse;
  return applyDecorators(
    SetMetadata(SEMAPHORE_USE, semaphore),
    SetMetadata(CREDIT_USE, use),
    UseInterceptors(GuardInterceptor),
  );
}

/** The handler runs with a permit of the named semaphore, which it may release early (`permitOf`). */
export function UseSemaphore(name: string): MethodDecorator & ClassDecorator {
  return applyDecorators(
    SetMetadata(SEMAPHORE_USE, name),
    UseInterceptors(BoundedSemaphoreInterceptor),
  );
}
