import type { CircuitBreaker } from '#libs/flow-control';
import type { Failure } from '../../pipeline/destination/failure.js';
import { payloadBytes } from '../../pipeline/payload-bytes.js';
import { isUnawaited } from '../../pipeline/promise-like.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import { UnsafeNumberError } from '../../pipeline/unsafe-number.error.js';
import type { DeliveryContext, DeliveryOutcome, Sink, SinkStatus } from './sink.js';

/** A sink's own `map`, as its definition has it. */
export type PayloadMap = (payload: never) => unknown;

/** What was made of a record for its sink: the record itself, a copy with another payload, or why there is none. */
type Mapped =
  | { readonly record: PipelineRecord; readonly failure?: undefined }
  | { readonly record?: undefined; readonly failure: Failure };

/**
 * A sink that is given another payload than the record has.
 *
 * MS1 the record itself is not changed: other sinks and the dead letters see it as it is.
 * MS2 a `map` that fails ends its record at this sink; the others of the batch are delivered.
 * MS3 where the others wait for its end (a sink that repeats and ends records: its cut goes over ended records alone), a
 *     record whose `map` fails ends before the call is answered.
 * The copies live as long as the call, so their number is bounded by what may be pending.
 */
export class MappedSink implements Sink {
  readonly name: string;
  readonly isOrdered: boolean;
  readonly repeats: boolean;
  readonly endsRecords: boolean;
  readonly maxBatchRecords: number;

  constructor(
    private readonly sink: Sink,
    private readonly map: PayloadMap,
  ) {
    this.name = sink.name;
    this.isOrdered = sink.isOrdered;
    this.repeats = sink.repeats;
    this.endsRecords = sink.endsRecords;
    this.maxBatchRecords = sink.maxBatchRecords;
  }

  get breaker(): CircuitBreaker | undefined {
    return this.sink.breaker;
  }

  get isHeld(): boolean {
    return this.sink.isHeld ?? false;
  }

  private get endsEarly(): boolean {
    return this.repeats && this.endsRecords;
  }

  status(): SinkStatus | undefined {
    return this.sink.status?.();
  }

  start(): Promise<void> {
    return this.sink.start();
  }

  stop(): Promise<void> {
    return this.sink.stop();
  }

  async deliver(
    records: readonly PipelineRecord[],
    context: DeliveryContext,
  ): Promise<readonly DeliveryOutcome[]> {
    const mapped = records.map((record) => mappedBy(this.map, record));
    const originals = new Map<PipelineRecord, PipelineRecord>();
    mapped.forEach(({ record, failure }, i) => {
      if (failure === undefined) originals.set(record, records[i]!);
      else if (this.endsEarly) void endNow(records[i]!, failure, context);
    });
    const answers = await this.sink.deliver(
      [...originals.keys()],
      forCopies(context, (record) => originals.get(record) ?? record),
    );
    let next = 0;
    return mapped.map(({ failure }) =>
      failure === undefined ? answers[next++]! : { kind: 'failed', failure },
    );
  }
}

/** The context of a call with copies: FinalSink knows the records that it handed over. */
function forCopies(
  context: DeliveryContext,
  originalOf: (copy: PipelineRecord) => PipelineRecord,
): DeliveryContext {
  const { early } = context;
  return {
    get signal() {
      return context.signal;
    },
    again: (copy, failure) => context.again(originalOf(copy), failure),
    ...(early && {
      early: {
        giveUp: (copy: PipelineRecord) => early.giveUp(originalOf(copy)),
        leave: (copy: PipelineRecord) => early.leave(originalOf(copy)),
      },
    }),
  };
}

async function endNow(
  record: PipelineRecord,
  failure: Failure,
  context: DeliveryContext,
): Promise<void> {
  context.again(record, failure);
  await context.early?.giveUp(record);
}

function mappedBy(map: PayloadMap, record: PipelineRecord): Mapped {
  let payload: unknown;
  let body: Buffer | undefined;
  try {
    payload = map(record.payload as never);
    if (payload === record.payload) return { record };
    if (isUnawaited(payload)) return failed('gave a promise: it must answer at once');
    body = payloadBytes(payload);
  } catch (error) {
    return failed(`threw (${kindOf(error)})`);
  }
  if (body === undefined) return failed('gave what is no JSON value');
  if (record.unsafeNumber !== undefined) {
    const { message } = new UnsafeNumberError(record.unsafeNumber);
    return { failure: { kind: 'final', message, reason: 'unsafe-number' } };
  }
  return { record: { ...record, payload, body } };
}

function failed(what: string): Mapped {
  return {
    failure: { kind: 'final', message: `The sink’s map ${what}.`, reason: 'pipeline' },
  };
}

/** Its text stays out: it may hold the payload. Anything can be thrown, also what throws when it is looked at. */
function kindOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.name) : typeof thrown;
  } catch {
    return 'something that can not be read';
  }
}
