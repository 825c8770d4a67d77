import { timingSafeEqual } from 'node:crypto';
import {
  type CanActivate,
  type ExecutionContext,
  ForbiddenException,
  Inject,
  Injectable,
  UnauthorizedException,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback, SERVICE_OPTIONS, type ServiceOptions } from '../config/service.options.js';

const BEARER = /^Bearer +(\S+)$/i;
const PORT_SUFFIX = /:\d+$/;

/**
 * Who may use the admin API: with ADMIN_TOKEN its bearer. On the loopback the `Host` header must name the loopback, or a
 * web page in the operator's browser could reach it under a name of its own (DNS rebinding).
 */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(SERVICE_OPTIONS) private readonly options: ServiceOptions) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const { headers } = http.getRequest<FastifyRequest>();
    if (isLoopback(this.options.host) && !isLoopback(hostName(headers.host))) {
      throw new ForbiddenException('The Host header must name the loopback, such as localhost.');
    }
    const { adminToken } = this.options;
    if (adminToken !== undefined && !isSame(tokenOf(headers.authorization), adminToken)) {
      http.getResponse<FastifyReply>().header('www-authenticate', 'Bearer');
      throw new UnauthorizedException('The admin API asks for the bearer token ADMIN_TOKEN.');
    }
    return true;
  }
}

function hostName(header: string | undefined): string {
  return (header ?? '').replace(PORT_SUFFIX, '');
}

function tokenOf(header: string | undefined): string {
  return BEARER.exec(header ?? '')?.[1] ?? '';
}

/** Takes as long for a wrong token as for the right one of its length. */
function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
