import { Pool } from 'undici';
import type { AnyPipelineDefinition, EgressContext } from '../pipeline/definition.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { type AsyncEgressOptions, parseHeaders } from './async-egress.options.js';
import { HttpAnswerError, UnusableResultError } from './egress-failure.js';

/** The external call of AsyncEgress. */
export interface Destination {
  /** The result replaces the payload; undefined keeps it. Rejects or throws when the call failed. */
  call(record: PipelineRecord, context: EgressContext): unknown;
  close(): Promise<void>;
}

/** Injects the destination; undefined when there is no call. */
export const EGRESS_DESTINATION = Symbol('EGRESS_DESTINATION');

/** As the books name it. */
export const EGRESS_DESTINATION_NAME = 'egress';

/** An answer larger than this is refused: what replaces a payload is held in memory. */
const MAX_ANSWER_BYTES = 1_048_576;

/** The definition's `egress`, or the POST to EGRESS_URL, or neither. */
export function destinationOf(
  definition: AnyPipelineDefinition,
  options: AsyncEgressOptions,
): Destination | undefined {
  const { egress } = definition;
  if (egress !== undefined) {
    return {
      call: ({ payload }, context) => egress(payload as never, context),
      close: () => Promise.resolve(),
    };
  }
  return options.url === undefined ? undefined : new HttpDestination(options.url, options);
}

/** POSTs the bytes of the record: 200 replaces the payload by the answer, any other 2xx keeps it. */
class HttpDestination implements Destination {
  private readonly pool: Pool;
  private readonly path: string;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(url: string, { headers, maxConcurrentOperations }: AsyncEgressOptions) {
    const { origin, pathname, search } = new URL(url);
    this.path = pathname + search;
    this.headers = {
      'content-type': 'application/json',
      ...(headers === undefined ? {} : parseHeaders(headers)),
    };
    // The stage's own deadline ends a call, so that there is one timeout and not three.
    this.pool = new Pool(origin, {
      connections: maxConcurrentOperations,
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize: MAX_ANSWER_BYTES,
    });
  }

  async call(record: PipelineRecord, { signal, recordId }: EgressContext): Promise<unknown> {
    const answer = await this.pool.request({
      method: 'POST',
      path: this.path,
      headers: { ...this.headers, 'penstock-record-id': recordId },
      body: record.body ?? Buffer.from(JSON.stringify(record.payload)),
      signal,
    });
    const { statusCode } = answer;
    if (statusCode === 200) return parseAnswer(await textOf(answer.body));
    await answer.body.dump();
    if (statusCode > 200 && statusCode < 300) return undefined;
    throw new HttpAnswerError(statusCode, retryAfterMs(answer.headers['retry-after']));
  }

  close(): Promise<void> {
    return this.pool.destroy();
  }
}

async function textOf(body: { text(): Promise<string> }): Promise<string> {
  try {
    return await body.text();
  } catch (error) {
    const isTooLarge =
      error instanceof Error && 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
    if (!isTooLarge) throw error;
    throw new UnusableResultError(`The answer is larger than ${MAX_ANSWER_BYTES} bytes.`);
  }
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UnusableResultError('The answer is not JSON.', { cause: error });
  }
}

/** Seconds or an HTTP date. */
function retryAfterMs(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  const waitMs = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(waitMs) ? waitMs : undefined;
}
