import type { IncomingMessage, Server } from 'node:http';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest, FastifyHttpOptions, RouteOptions } from 'fastify';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { Intake } from '../pipeline/intake.js';
import { offersRest } from '../pipeline/source-definition.js';
import { AdmissionHook } from './admission.hook.js';
import { parseJsonRequest } from './body-reader.js';
import { GatewayLimits } from './gateway.limits.js';
import { IngestTokens } from './tenants/ingest-tokens.js';
import type { IntakeContext } from './intake-context.js';
import { headersFor, problemFor, sendProblem } from './problems.js';
import {
  answerOptions,
  isJsonRoute,
  refuseExpectation,
  requireHost,
  requireJsonAccepted,
} from './protocol-rules.js';
import { RequestError } from './request-error.js';
import { RouteTable } from './route-table.js';
import { answerProtocolError, SERVER_OPTIONS } from './server-protection.js';

/** CloudEvents, and the types of their data. */
const JSON_SUFFIX = /^[\w-]+\/[\w!#$&^.-]+\+json/i;
/** The routes that take records, as the router knows them. */
const RECORD_ROUTE = '/v1/records';
const BATCH_ROUTE = '/v1/records::batch';
/** Where a record is looked up. */
const LOOKUP_ROUTE = '/v1/records/:id';
/** A record's id, with room for a Kafka position. */
const LONGEST_PATH_PARAMETER = 320;

/** What the Fastify adapter is to be made with. */
export function configureHttp(): FastifyHttpOptions<Server> {
  return {
    http: SERVER_OPTIONS,
    requestTimeout: SERVER_OPTIONS.requestTimeout,
    routerOptions: { maxParamLength: LONGEST_PATH_PARAMETER },
    clientErrorHandler: answerProtocolError,
    // URLs that the router can't read come past every filter.
    frameworkErrors: ({ code }, _request, reply) => {
      sendProblem(reply, problemFor(urlError(code)));
    },
  };
}

/**
 * Puts the Gateway in front of the application's routes: admission before the body is read, and its own body parsers.
 * Call it once, before `init` or `listen`; the application must be made with `bodyParser: false`.
 */
export function registerHooks(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  const [hook, limits] = [app.get(AdmissionHook), app.get(GatewayLimits)];
  const [routes, intake] = [app.get(RouteTable), app.get(Intake)];
  const definition = app.get<AnyPipelineDefinition>(PIPELINE_DEFINITION);
  const admitOf = (isBatch: boolean) =>
    offersRest(definition.sources) ? admissionOf(hook, limits, isBatch) : refusalBy(definition);
  const identify = identificationOf(app.get(IngestTokens));
  const needHost = checking(requireHost);

  fastify.decorateRequest('intake', undefined);
  fastify.decorateRequest('tokenTenant', undefined);
  fastify.addHook('onRoute', (route: RouteOptions) => {
    const methods = [route.method].flat();
    routes.add(route.url, methods);
    // Which route it is is known here; to ask a request for it makes an object of twelve fields each time.
    const isPost = methods.includes('POST');
    if (isPost && route.url === RECORD_ROUTE) route.onRequest = admitOf(false);
    else if (isPost && route.url === BATCH_ROUTE) route.onRequest = admitOf(true);
    else if (route.url === LOOKUP_ROUTE)
      route.onRequest = [checking(requireJsonAccepted), identify];
    else if (isJsonRoute(route.url)) route.onRequest = checking(requireJsonAccepted);
  });
  fastify.addHook('onRequest', (request, reply, done) => {
    const reason = intake.closed?.reason;
    // A connection that is kept open would go on being sent to a process that ends.
    if (reason === 'draining' || reason === 'stopping') void reply.header('connection', 'close');
    if (!answerOptions(request, reply, routes)) needHost(request, reply, done);
  });
  app.getHttpServer().on('checkExpectation', refuseExpectation);

  const { clock } = limits.runtime;
  fastify.removeAllContentTypeParsers();
  const parse = (request: FastifyRequest, body: IncomingMessage): Promise<unknown> =>
    parseJsonRequest(request, body, { maxBytes: limits.bounds.maxBodyBytes, clock });
  fastify.addContentTypeParser('application/json', parse);
  fastify.addContentTypeParser(JSON_SUFFIX, parse);
  // A stream is read by its handler, as credits allow.
  fastify.addContentTypeParser('application/x-ndjson', (_request, body, done) => done(null, body));
}

function admissionOf(hook: AdmissionHook, limits: GatewayLimits, isBatch: boolean) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    try {
      const context = hook.admit(request, reply, isBatch);
      const delayMs = hook.delayMs();
      if (delayMs === 0) done();
      else void delayed(limits, delayMs, context, done);
    } catch (error) {
      // Answered here: the framework's way through its filters costs more than the refusal saves.
      const problem = problemFor(error, limits.runtime.random);
      sendProblem(reply, problem, headersFor(error, problem));
    }
  };
}

/** Nobody without a token learns which records there are. */
function identificationOf(tokens: IngestTokens) {
  return checking((request) => {
    request.tokenTenant = tokens.tokenTenantOf(request.headers);
  });
}

/** A hook that answers with what the check throws. */
function checking(check: (request: FastifyRequest) => void) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    try {
      check(request);
    } catch (error) {
      const problem = problemFor(error);
      sendProblem(reply, problem, headersFor(error, problem));
      return;
    }
    done();
  };
}

/** Of a pipeline that has sources, and REST is none of them. */
function refusalBy({ name }: AnyPipelineDefinition) {
  const detail = `The pipeline ${name} takes records from Kafka only.`;
  const problem = problemFor(new RequestError('not-offered', detail));
  return (_request: FastifyRequest, reply: FastifyReply): void => sendProblem(reply, problem);
}

async function delayed(
  limits: GatewayLimits,
  delayMs: number,
  { signal }: IntakeContext,
  done: () => void,
): Promise<void> {
  await limits.delay(delayMs, signal);
  if (!signal.aborted) done();
}

function urlError(code: string): RequestError {
  return code === 'FST_ERR_MAX_PARAM_LENGTH'
    ? new RequestError('not-found', 'There is nothing at this path.')
    : new RequestError('malformed', 'The URL is not valid.');
}
