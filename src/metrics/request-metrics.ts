import { Injectable } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LatencyHistogram } from '#libs/flow-control';
import { histogramSamples, type Sample } from './copied-metric.js';
import { LabelCounter } from './label-counter.js';

interface RouteHistogram {
  readonly labels: { readonly route: string; readonly status: string };
  readonly histogram: LatencyHistogram;
}

const PROBLEM_TYPE = 'application/problem+json';
/** The members of a problem that say why; they come first, a batch's results after them. */
const PROBLEM_HEAD_LENGTH = 1000;
const REASON = /"type":"\/problems\/([\w-]+)"/;
const STAGE = /"stage":"(\w+)"/;
/** The records of a batch are counted one by one, when they are refused. */
const WITH_RESULTS = /"refused":\d+,"results":/;
const SIGNAL = /"signal":"([\w-]+)"/;

/** A path without a route is one label, whatever the path. */
const UNROUTED = 'none';
const REFUSED_STATUSES: ReadonlySet<number> = new Set([429, 503]);
const HUNDRED = 100;

/** Measures requests by route, and counts the refused ones by their problem. */
@Injectable()
export class RequestMetrics {
  readonly refused = new LabelCounter();
  private readonly histograms = new Map<string, RouteHistogram>();

  /** Before the application's routes are ready. */
  watch(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', (route) => {
      const latencies = this.latenciesOf(route.url.replaceAll('::', ':'));
      route.onResponse = [route.onResponse ?? [], latencies].flat();
    });
    const unrouted = this.latenciesOf(UNROUTED);
    fastify.addHook('onResponse', (request, reply, done) => {
      if (request.is404) unrouted(request, reply, done);
      else done();
    });
    fastify.addHook('onSend', (_request, reply, payload, done) => {
      const type = String(reply.getHeader('content-type'));
      const isRefusal = REFUSED_STATUSES.has(reply.statusCode) && type.startsWith(PROBLEM_TYPE);
      if (isRefusal && Buffer.isBuffer(payload)) {
        this.refusedWith(payload.toString('utf8', 0, PROBLEM_HEAD_LENGTH));
      } else if (isRefusal && typeof payload === 'string') {
        this.refusedWith(payload.slice(0, PROBLEM_HEAD_LENGTH));
      }
      done(null, payload);
    });
  }

  *samples(name: string): Iterable<Sample> {
    for (const { labels, histogram } of this.histograms.values()) {
      yield* histogramSamples(name, histogram, labels);
    }
  }

  /** A hook of one route, so that nobody has to find out which route a request had. */
  private latenciesOf(route: string) {
    const byStatusClass: (LatencyHistogram | undefined)[] = [];
    return (_request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
      const statusClass = Math.floor(reply.statusCode / HUNDRED);
      const histogram = (byStatusClass[statusClass] ??= this.histogramOf(route, statusClass));
      histogram.record(reply.elapsedTime);
      done();
    };
  }

  private histogramOf(route: string, statusClass: number): LatencyHistogram {
    const status = `${statusClass}xx`;
    const key = `${status} ${route}`;
    const found = this.histograms.get(key)?.histogram;
    if (found !== undefined) return found;
    const histogram = new LatencyHistogram();
    this.histograms.set(key, { labels: { route, status }, histogram });
    return histogram;
  }

  /** Read as text: parsing would cost more than the refusal. */
  private refusedWith(problem: string): void {
    if (WITH_RESULTS.test(problem)) return;
    const part = (pattern: RegExp): string => pattern.exec(problem)?.[1] ?? '';
    this.refused.add({ stage: part(STAGE), reason: part(REASON), signal: part(SIGNAL) });
  }
}
