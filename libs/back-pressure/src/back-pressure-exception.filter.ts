import { type ArgumentsHost, Catch, type ExceptionFilter } from '@nestjs/common';
import { FlowControlError } from '#libs/flow-control';
import { BackPressureController } from './back-pressure-controller.js';
import { BackPressureError } from './errors/back-pressure-error.js';
import { problemHeaders, problemOf } from './problem.js';

/** The part of a Fastify reply that is needed. */
interface Reply {
  status(code: number): Reply;
  headers(values: Record<string, string>): Reply;
  send(body: unknown): unknown;
}

/** Answers a refusal with its problem document and `Retry-After`. The mapping is the table in problem.ts. */
@Catch(BackPressureError, FlowControlError)
export class BackPressureExceptionFilter implements ExceptionFilter<
  BackPressureError | FlowControlError
> {
  constructor(private readonly controller: BackPressureController) {}

  catch(error: BackPressureError | FlowControlError, host: ArgumentsHost): void {
    const problem = problemOf(error, this.controller.random);
    if (problem === undefined) throw error;
    host
      .switchToHttp()
      .getResponse<Reply>()
      .status(problem.status)
      .headers(problemHeaders(problem))
      .send(problem);
  }
}
