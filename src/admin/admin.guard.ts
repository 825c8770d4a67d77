import { timingSafeEqual } from 'node:crypto';
import {
  type CanActivate,
  type ExecutionContext,
  HttpException,
  Inject,
  Injectable,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isLoopback, SERVICE_OPTIONS, type ServiceOptions } from '../config/service.options.js';

const BEARER = /^Bearer +(\S+)$/i;
const PORT_SUFFIX = /:\d+$/;

const WRONG_HOST = {
  type: '/problems/forbidden',
  title: 'Forbidden',
  status: 403,
  detail: 'The Host header must name the loopback, such as localhost.',
} as const;

const NO_TOKEN = {
  type: '/problems/unauthorized',
  title: 'Unauthorized',
  status: 401,
  detail: 'The admin API asks for the bearer token ADMIN_TOKEN.',
} as const;

/**
 * Who may use the admin API: with ADMIN_TOKEN its bearer. On the loopback the `Host` header must name the loopback, or a
 * web page in the operator's browser could reach it under a name of its own (DNS rebinding).
 */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(@Inject(SERVICE_OPTIONS) private readonly options: ServiceOptions) {}

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const { host, authorization } = request.headers;
    const problem = this.problemWith(host, authorization);
    if (problem === undefined) {
      const name = this.options.adminToken === undefined ? 'loopback' : 'admin-token';
      request.operator = { name, address: request.ip };
      return true;
    }
    const reply = http.getResponse<FastifyReply>();
    if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
    throw new HttpException({ ...problem }, problem.status);
  }

  private problemWith(host: string | undefined, authorization: string | undefined) {
    const { adminToken } = this.options;
    if (isLoopback(this.options.host) && !isLoopback(hostName(host))) return WRONG_HOST;
    if (adminToken !== undefined && !isSame(tokenOf(authorization), adminToken)) return NO_TOKEN;
    return undefined;
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
