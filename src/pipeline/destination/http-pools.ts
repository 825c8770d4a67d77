import { type Dispatcher, Pool } from 'undici';
import type { Clock } from '#libs/flow-control';
import { HttpAnswerError } from './http-answer.error.js';
import { UnusableResultError } from './unusable-result.error.js';

export interface HttpPoolsOptions {
  /** Connections to one origin; calls beyond that wait for one. */
  readonly connections: number;
  /** Origins with connections at a time. Default 32. */
  readonly maxOrigins?: number;
  readonly clock: Pick<Clock, 'wallNow'>;
}

export interface HttpCall {
  readonly method: string;
  /** http or https. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly signal: AbortSignal;
}

/** An answer with success. */
export interface HttpAnswer {
  readonly status: number;
  /** Its body; '' when it has none. */
  readonly text: string;
}

/** An answer larger than this is refused: what replaces a payload is held in memory. */
const MAX_ANSWER_BYTES = 1_048_576;
const DEFAULT_MAX_ORIGINS = 32;
const MS_PER_SECOND = 1000;

/**
 * Calls over HTTP, with kept connections: a pool per origin.
 *
 * HP1 at most `maxOrigins` pools; a further origin ends the one that was used longest ago, once its calls are over.
 * HP2 a body is always read to its end or thrown away, so that its connection is free again; at most 1 MiB is kept.
 * HP3 the caller's signal is the only timeout but for the one of connecting: there is one deadline and not three.
 */
export class HttpPools {
  /** By origin, the one used longest ago first. */
  private readonly pools = new Map<string, Pool>();

  constructor(private readonly options: HttpPoolsOptions) {}

  /**
   * Resolves with a 2xx. Rejects with an HttpAnswerError for any other answer, an UnusableResultError for one that is too
   * large, the signal's reason when it is aborted, else with what the connection says.
   */
  async send({ method, url, headers, body, signal }: HttpCall): Promise<HttpAnswer> {
    const { origin, pathname, search, protocol } = new URL(url);
    if (protocol !== 'http:' && protocol !== 'https:') {
      throw new TypeError(`A call goes to an http or https URL (got ${protocol})`);
    }
    const answer = await this.poolOf(origin).request({
      method: method as Dispatcher.HttpMethod,
      path: pathname + search,
      headers,
      ...(body === undefined ? {} : { body }),
      signal,
    });
    const { statusCode: status } = answer;
    if (status >= 200 && status < 300) return { status, text: await textOf(answer.body) };
    await answer.body.dump();
    throw new HttpAnswerError(status, this.retryAfterMs(answer.headers['retry-after']));
  }

  /** Ends all connections and the calls on them. Idempotent. */
  async close(): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  private poolOf(origin: string): Pool {
    const known = this.pools.get(origin);
    const pool = known ?? this.open(origin);
    this.pools.delete(origin);
    this.pools.set(origin, pool);
    return pool;
  }

  private open(origin: string): Pool {
    const { connections, maxOrigins = DEFAULT_MAX_ORIGINS } = this.options;
    const [oldest] = this.pools;
    if (oldest !== undefined && this.pools.size >= maxOrigins) {
      this.pools.delete(oldest[0]);
      // Resolves when its calls have ended; each has its own deadline.
      void oldest[1].close();
    }
    return new Pool(origin, {
      connections,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  /** Seconds or an HTTP date. */
  private retryAfterMs(header: string | string[] | undefined): number | undefined {
    if (typeof header !== 'string') return undefined;
    const waitMs = /^\d+$/.test(header)
      ? Number(header) * MS_PER_SECOND
      : Date.parse(header) - this.options.clock.wallNow();
    return Number.isFinite(waitMs) ? waitMs : undefined;
  }
}

async function textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  try {
    return await body.text();
  } catch (error) {
    const isTooLarge =
      error instanceof Error && 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
    if (!isTooLarge) throw error;
    throw new UnusableResultError(`The answer is larger than ${MAX_ANSWER_BYTES} bytes.`);
  }
}
