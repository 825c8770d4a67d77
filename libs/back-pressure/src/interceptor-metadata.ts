import type { ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';
import type { Sizes } from '#libs/flow-control';

/** What `@UseCredits` says. */
export interface CreditUse {
  readonly stage: string;
  readonly countOf?: (request: object) => number;
  readonly sizesOf?: (request: object) => Sizes;
}

export const CREDIT_USE = Symbol('penstock.use-credits');
export const SEMAPHORE_USE = Symbol('penstock.use-semaphore');

/** Metadata of the handler, else of its class. */
export function metadataOf<T>(reflector: Reflector, key: symbol, context: ExecutionContext): T {
  const use = reflector.getAllAndOverride<T | undefined>(key, [
    context.getHandler(),
    context.getClass(),
  ]);
  if (use === undefined) throw new TypeError(`${context.getHandler().name} lacks its decorator`);
  return use;
}
