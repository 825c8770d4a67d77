import type { Clock } from '#libs/flow-control';
import type { AnyPipelineDefinition, EgressContext } from '../pipeline/definition.js';
import { httpClient, parseAnswer } from '../pipeline/destination/http-client.js';
import { HttpPools } from '../pipeline/destination/http-pools.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { type AsyncEgressOptions, parseHeaders } from './async-egress.options.js';

/** What a call is given beside its record. */
export type CallContext = Omit<EgressContext, 'http'>;

/** The external call of AsyncEgress. */
export interface Destination {
  /** The result replaces the payload; undefined keeps it. Rejects or throws when the call failed. */
  call(record: PipelineRecord, context: CallContext): unknown;
  close(): Promise<void>;
}

/** Injects the destination; undefined when there is no call. */
export const EGRESS_DESTINATION = Symbol('EGRESS_DESTINATION');

/** As the books name it. */
export const EGRESS_DESTINATION_NAME = 'egress';

/** The definition's `egress`, or the POST to EGRESS_URL, or neither. */
export function destinationOf(
  definition: AnyPipelineDefinition,
  options: AsyncEgressOptions,
  clock: Pick<Clock, 'wallNow'>,
): Destination | undefined {
  const { egress } = definition;
  const { url, maxConcurrentOperations } = options;
  const pools = new HttpPools({ connections: maxConcurrentOperations, clock });
  if (egress !== undefined) {
    return {
      call: ({ payload }, context) =>
        egress(payload as never, { ...context, http: httpClient(pools, context.signal) }),
      close: () => pools.close(),
    };
  }
  return url === undefined ? undefined : new HttpDestination(url, options, pools);
}

/** POSTs the bytes of the record: 200 replaces the payload by the answer, any other 2xx keeps it. */
class HttpDestination implements Destination {
  private readonly headers: Readonly<Record<string, string>>;

  constructor(
    private readonly url: string,
    { headers }: AsyncEgressOptions,
    private readonly pools: HttpPools,
  ) {
    this.headers = {
      'content-type': 'application/json',
      ...(headers === undefined ? {} : parseHeaders(headers)),
    };
  }

  async call(record: PipelineRecord, { signal, recordId }: CallContext): Promise<unknown> {
    const { status, text } = await this.pools.send({
      method: 'POST',
      url: this.url,
      headers: { ...this.headers, 'penstock-record-id': recordId },
      body: record.body ?? Buffer.from(JSON.stringify(record.payload)),
      signal,
    });
    return status === 200 ? parseAnswer(text) : undefined;
  }

  close(): Promise<void> {
    return this.pools.close();
  }
}
