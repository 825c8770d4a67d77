/**
 * Two listeners, one router (ADMIN_PORT): what is for operators answers on one, what is for callers on the other.
 *
 * LS1 the *matched route* decides, not the text of the path: no spelling of a URL comes around it.
 * LS2 the wrong listener answers 404, as if there were nothing.
 * LS3 the API's description answers on both: both sides need it, and the operators' index page links to it.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { FrontDoor } from './front-door.js';

const ADMIN_ROUTES = /^\/(v1\/admin|health|metrics)(\/|$)/;
const INDEX_ROUTE = '/';
const SHARED_ROUTES = /^\/(docs|openapi\.json)(\/|$)/;

const NOT_FOUND = Buffer.from(
  JSON.stringify({
    type: '/problems/not-found',
    title: 'Not found',
    status: 404,
    detail: 'There is nothing at this path.',
  }),
);

type Handler = Parameters<FrontDoor['prepare']>[0];

/** Tells by which door a request came. */
export class ListenerSplit {
  private readonly fromAdmin = new WeakSet<IncomingMessage>();

  constructor(private readonly adminDoor: FrontDoor) {}

  /** The admin door hands its requests to the router too. */
  prepare(handler: Handler): void {
    this.adminDoor.prepare((request, response) => {
      this.fromAdmin.add(request);
      handler(request, response);
    });
  }

  /** To be called before other hooks are added, so that nothing is decided about a request at the wrong door. */
  register(fastify: Pick<FastifyInstance, 'addHook'>): void {
    fastify.addHook('onRequest', (request, reply, done) => {
      const isAtAdmin = this.fromAdmin.has(request.raw);
      if (isServed(request.routeOptions.url, isAtAdmin)) return done();
      void reply.code(404).header('content-type', 'application/problem+json').send(NOT_FOUND);
    });
    fastify.addHook('onClose', () => this.adminDoor.close());
  }
}

/** A path without a route is told by the router itself. */
function isServed(route: string | undefined, isAtAdmin: boolean): boolean {
  if (route === undefined || SHARED_ROUTES.test(route)) return true;
  const isAdmin = route === INDEX_ROUTE || ADMIN_ROUTES.test(route);
  return isAdmin === isAtAdmin;
}
