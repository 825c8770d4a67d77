import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  Logger,
} from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { headersFor, type Problem, problemFor, sendProblem } from './problems.js';
import { RequestError } from './request-error.js';
import { RouteTable } from './route-table.js';

/** Answers every error with a problem document, those of the framework and of its router included. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  constructor(
    private readonly routes: RouteTable,
    private readonly runtime: StageRuntime,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    if (reply.sent || reply.raw.destroyed) return;
    if (hasOwnBody(thrown)) {
      const body = thrown.getResponse();
      if (isProblem(body)) sendProblem(reply, body);
      else reply.status(thrown.getStatus()).send(body);
      return;
    }
    const request = http.getRequest<FastifyRequest>();
    const error = request.is404 ? this.noRoute(request) : thrown;
    const problem = problemFor(error, this.runtime.random);
    if (problem.status === 500) this.logger.error(describe(thrown));
    sendProblem(reply, problem, headersFor(error, problem));
  }

  private noRoute({ method, url }: FastifyRequest): RequestError {
    const allow = this.routes.methodsOf(url);
    if (allow.length === 0) return new RequestError('not-found', 'There is nothing at this path.');
    const detail = `${method} is not possible here; ${allow.join(', ')} is.`;
    return new RequestError('method-not-allowed', detail, { allow });
  }
}

/** Other modules throw the whole document. */
function isProblem(body: string | object): body is Problem {
  return typeof body === 'object' && 'type' in body && 'detail' in body && 'status' in body;
}

/** Health checks throw their whole answer. The framework's own exceptions are told by their `statusCode`. */
function hasOwnBody(thrown: unknown): thrown is HttpException {
  if (!(thrown instanceof HttpException)) return false;
  const body = thrown.getResponse();
  return typeof body === 'object' && !('statusCode' in body);
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
