import { Logger } from '@nestjs/common';
import { Pool } from 'undici';
import type { Clock } from '#libs/flow-control';
import type { PipelineRecord } from '../../pipeline/record.js';
import { outcomeOfAnswer, outcomeOfSilence } from './callback-answer.js';
import type { DeliveryContext, DeliveryOutcome, Sink } from './sink.js';
import { webhookHeaders, webhookTimestamp } from './webhook-signature.js';

export interface CallbackSinkOptions {
  readonly name: string;
  readonly url: string;
  /** Keys of the signatures, one or two. */
  readonly keys: readonly Buffer[];
  readonly contentType: 'application/json' | 'application/octet-stream';
  /** Requests that may be under way. */
  readonly maxRequests: number;
  /** Longest time that the rest of an answer may take once it has begun. */
  readonly answerTimeoutMs: number;
  readonly clock: Clock;
}

/** A header above that is more than many servers take; the key is in the payload or it isn't needed. */
const MAX_KEY_HEADER_LENGTH = 4096;
/** Of an answer's body, which nobody reads; a connection with more left is closed. */
const MAX_DUMPED_BYTES = 65_536;

/**
 * Delivers by one POST a record, signed by Standard Webhooks, at least once: `webhook-id` is the record's id and the same
 * at every attempt.
 *
 * CS1 2xx acknowledges, as soon as its headers are there; everything else is sorted by callback-answer.ts.
 * CS2 a request ends with the call's signal: that is the only timeout of an answer.
 * CS3 what is signed is what is sent: the bytes of the record, unchanged.
 * Unordered: requests run side by side, one of a key at a time; FinalSink bounds them.
 */
export class CallbackSink implements Sink {
  readonly name: string;
  readonly isOrdered = false;
  readonly repeats = false;
  readonly endsRecords = false;
  readonly maxBatchRecords = 1;
  private readonly logger = new Logger(CallbackSink.name);
  private readonly pool: Pool;
  private readonly path: string;

  constructor(private readonly options: CallbackSinkOptions) {
    const { name, url, maxRequests, answerTimeoutMs } = options;
    const { origin, pathname, search } = new URL(url);
    this.name = name;
    this.path = pathname + search;
    this.pool = new Pool(origin, {
      connections: maxRequests,
      headersTimeout: 0,
      bodyTimeout: answerTimeoutMs,
    });
  }

  /** Returns before there is a connection: the service starts without the receiver. */
  start(): Promise<void> {
    const { origin, pathname } = new URL(this.options.url);
    this.logger.log(`Delivers to ${origin}${pathname}.`);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    await this.pool.destroy();
  }

  async deliver(
    records: readonly PipelineRecord[],
    context: Pick<DeliveryContext, 'signal'>,
  ): Promise<readonly DeliveryOutcome[]> {
    const outcomes: DeliveryOutcome[] = [];
    for (const record of records) outcomes.push(await this.post(record, context.signal));
    return outcomes;
  }

  private async post(record: PipelineRecord, signal: AbortSignal): Promise<DeliveryOutcome> {
    const { clock, keys, contentType } = this.options;
    const body = record.body ?? Buffer.from(JSON.stringify(record.payload));
    const timestamp = webhookTimestamp(clock.wallNow());
    try {
      const answer = await this.pool.request({
        method: 'POST',
        path: this.path,
        headers: {
          'content-type': contentType,
          ...webhookHeaders({ id: record.id, timestamp, body }, keys),
          ...keyHeader(record.key),
        },
        body,
        signal,
      });
      // What is left of it is of no interest, and an error in it changes nothing.
      answer.body.dump({ limit: MAX_DUMPED_BYTES }).catch(() => undefined);
      const retryAfter = answer.headers['retry-after'];
      return outcomeOfAnswer(
        {
          status: answer.statusCode,
          retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
        },
        clock.wallNow(),
      );
    } catch (error) {
      return outcomeOfSilence(error, signal);
    }
  }
}

/** A header holds less than a key may: `decodeURIComponent` gives the key back. */
function keyHeader(key: string | undefined): Readonly<Record<string, string>> {
  if (key === undefined) return {};
  const encoded = encodeURIComponent(key);
  return encoded.length > MAX_KEY_HEADER_LENGTH ? {} : { 'penstock-key': encoded };
}
