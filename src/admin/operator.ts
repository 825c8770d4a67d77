import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the AdminGuard on the routes that it has let through. */
    operator?: Operator;
  }
}

/** Who asks for something by the admin API. */
export interface Operator {
  /** `admin-token`: the bearer of ADMIN_TOKEN; `loopback`: whoever can reach the loopback, where there is no token. */
  readonly name: 'admin-token' | 'loopback';
  /** Where the request came from. */
  readonly address: string;
}

/** The operator as one word for a table or a log line. */
export function operatorText({ name, address }: Operator): string {
  return `${name}@${address}`;
}

/** Parameter of a handler behind the AdminGuard: who asks. */
export const ByOperator = createParamDecorator(
  (_: unknown, context: ExecutionContext): Operator => {
    const { operator } = context.switchToHttp().getRequest<FastifyRequest>();
    if (operator === undefined) throw new Error('The route is not behind the AdminGuard.');
    return operator;
  },
);
