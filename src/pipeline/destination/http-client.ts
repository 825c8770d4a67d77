import type { HttpPools } from './http-pools.js';
import { UnusableResultError } from './unusable-result.error.js';

export interface HttpOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
}

/**
 * What `egress` is given for its calls: JSON in, JSON out, ended by the attempt's signal.
 *
 * Each method resolves with the parsed body of a 2xx; undefined when it has none. Any other answer rejects with an
 * HttpAnswerError, so that 429, `Retry-After` and 4xx sort themselves; redirects are not followed. An answer that is no
 * JSON, or too large, rejects with an UnusableResultError.
 */
export interface HttpClient {
  get(url: string, options?: Omit<HttpOptions, 'json'>): Promise<unknown>;
  post(url: string, json: unknown, options?: Omit<HttpOptions, 'json'>): Promise<unknown>;
  request(method: string, url: string, options?: HttpOptions): Promise<unknown>;
}

/** The client of one call. */
export function httpClient(pools: HttpPools, signal: AbortSignal): HttpClient {
  const request = async (
    method: string,
    url: string,
    { headers, json }: HttpOptions = {},
  ): Promise<unknown> => {
    const content: Record<string, string> =
      json === undefined ? {} : { 'content-type': 'application/json' };
    const { text } = await pools.send({
      method,
      url,
      headers: { accept: 'application/json', ...content, ...headers },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal,
    });
    return text === '' ? undefined : parseAnswer(text);
  };
  return {
    get: (url, options) => request('GET', url, options),
    post: (url, json, options) => request('POST', url, { ...options, json }),
    request,
  };
}

/** The body of an answer as JSON. Throws an UnusableResultError. */
export function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UnusableResultError('The answer is not JSON.', { cause: error });
  }
}
