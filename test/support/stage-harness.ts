import { BackPressureController, type StageSpec } from '../../libs/back-pressure/src/index.js';
import type { Lot } from '../../libs/flow-control/src/index.js';
import {
  type AsyncEgressOptions,
  asyncEgressOptions,
} from '../../src/async-egress/async-egress.options.js';
import { AsyncEgressStage } from '../../src/async-egress/async-egress.stage.js';
import { destinationOf } from '../../src/async-egress/destination.js';
import {
  type FinalSinkOptions,
  finalSinkOptions,
} from '../../src/final-sink/final-sink.options.js';
import { FinalSinkStage } from '../../src/final-sink/final-sink.stage.js';
import type { RoutedSink, Sink } from '../../src/final-sink/sinks/sink.js';
import { type IngressOptions, ingressOptions } from '../../src/ingress/ingress.options.js';
import { IngressStage } from '../../src/ingress/ingress.stage.js';
import { type KeyGenOptions, keygenOptions } from '../../src/keygen/keygen.options.js';
import { KeyGenStage } from '../../src/keygen/keygen.stage.js';
import type { AnyPipelineDefinition } from '../../src/pipeline/definition.js';
import { InFlight } from '../../src/pipeline/in-flight.js';
import type { Origin, PipelineRecord } from '../../src/pipeline/record.js';
import { Settlement } from '../../src/pipeline/settlement.js';
import { STAGE_IDS, type StageId } from '../../src/pipeline/stage.js';
import { StageRuntime } from '../../src/pipeline/stage-runtime.js';
import { backPressureOptions, stagesWith } from './back-pressure.js';
import { FakeClock } from './fake-clock.js';
import { InMemoryAcknowledgments, InMemoryBooks, InMemoryJournal } from './in-memory-ledger.js';
import { InMemorySink } from './in-memory-sink.js';
import { makeRecord } from './ledger.js';

export interface HarnessOptions {
  readonly definition?: Partial<AnyPipelineDefinition>;
  readonly keygen?: Partial<KeyGenOptions>;
  readonly ingress?: Partial<IngressOptions>;
  readonly egress?: Partial<AsyncEgressOptions>;
  readonly finalSink?: Partial<FinalSinkOptions>;
  /** Credits by stage; the pipeline's by `pipelineCapacity`. */
  readonly capacity?: Partial<Record<StageId, number>>;
  readonly pipelineCapacity?: number;
  /** Or what makes it, for one that needs the clock. */
  readonly sink?: Sink | ((clock: FakeClock) => Sink);
  /** In place of it. */
  readonly sinks?: readonly RoutedSink[];
  readonly maxDeadLetters?: number;
  readonly random?: () => number;
  readonly books?: InMemoryBooks;
}

export interface SubmitOptions {
  readonly keys?: readonly (string | undefined)[];
  readonly admitByMs?: number;
  readonly signal?: AbortSignal;
  readonly bodies?: readonly Buffer[];
  /** Of every record; `source: 'kafka'` makes them records that have no journal, as KafkaIntake brings them. */
  readonly fields?: Partial<PipelineRecord>;
}

/** What a slice was given, and when it has its verdicts. */
export interface Submitted {
  readonly records: readonly PipelineRecord[];
  readonly done: Promise<void>;
}

/** The four stages behind the Gateway on a real controller, a fake clock and a ledger in memory. */
export class StageHarness {
  readonly clock = new FakeClock();
  readonly controller: BackPressureController;
  readonly runtime: StageRuntime;
  readonly inFlight = new InFlight();
  readonly books: InMemoryBooks;
  readonly journal: InMemoryJournal;
  readonly acknowledgments: InMemoryAcknowledgments;
  readonly settlement: Settlement;
  readonly sink: Sink;
  readonly keygen: KeyGenStage;
  readonly ingress: IngressStage;
  readonly egress: AsyncEgressStage;
  readonly finalSink: FinalSinkStage;
  /** In the order in which the origin heard of their ends. */
  readonly settled: PipelineRecord[] = [];
  maxDeadLetters: number;
  private readonly origin: Origin = { settled: (records) => this.settled.push(...records) };

  constructor(options: HarnessOptions = {}) {
    const { clock, inFlight } = this;
    const definition: AnyPipelineDefinition = { name: 'test', ...options.definition };
    this.controller = new BackPressureController(
      backPressureOptions({
        clock,
        stages: stagesOf(options.capacity ?? {}),
        pipeline: { capacity: options.pipelineCapacity ?? 10_000, byteCapacity: 67_108_864 },
      }),
    );
    this.runtime = new StageRuntime(this.controller, clock, options.random ?? (() => 0.5));
    this.books = options.books ?? new InMemoryBooks();
    this.journal = new InMemoryJournal(this.books);
    this.acknowledgments = new InMemoryAcknowledgments(this.books);
    this.maxDeadLetters = options.maxDeadLetters ?? 10_000;
    const egress = { ...asyncEgressOptions.schema.parse({}), ...options.egress };
    this.settlement = new Settlement(
      this.acknowledgments,
      inFlight,
      deadLettersOf(this, egress.enableDeadLetterQueue),
      clock,
    );
    const given = options.sink ?? new InMemorySink();
    this.sink = typeof given === 'function' ? given(clock) : given;
    const { runtime, journal, settlement, sink } = this;
    const keygen = { ...keygenOptions.schema.parse({}), ...options.keygen };
    const ingress = { ...ingressOptions.schema.parse({}), ...options.ingress };
    const finalSink = { ...finalSinkOptions.schema.parse({}), ...options.finalSink };
    this.keygen = new KeyGenStage(runtime, keygen, definition, inFlight);
    this.ingress = new IngressStage(runtime, ingress, definition, journal, settlement);
    const destination = destinationOf(definition, egress, clock);
    this.egress = new AsyncEgressStage(runtime, egress, settlement, destination);
    this.finalSink = new FinalSinkStage(
      runtime,
      finalSink,
      settlement,
      options.sinks ?? [{ sink, isRequired: true }],
    );
  }

  /** As the lifecycle does: connected upstream to downstream, started sink first. */
  async start(): Promise<this> {
    this.keygen.connect(this.ingress);
    this.ingress.connect(this.egress);
    this.egress.connect(this.finalSink);
    await this.finalSink.start();
    this.egress.start();
    this.ingress.start();
    this.keygen.start();
    return this;
  }

  async stop(): Promise<void> {
    this.keygen.stop();
    this.ingress.stop();
    await this.egress.stop();
    await this.finalSink.stop();
    this.controller.stop();
  }

  /** Stands for the Gateway: takes credits, hands a slice to KeyGen, gives the pipeline's credits of refusals back. */
  submit(payloads: readonly unknown[], options: SubmitOptions = {}): Submitted {
    const { keys = [], admitByMs = Infinity, signal, bodies, fields = {} } = options;
    const isKafka = fields.source === 'kafka';
    const admission = this.admission(payloads.length);
    const records = payloads.map((payload, i) =>
      makeRecord({
        payload,
        key: keys[i],
        body: bodies?.[i],
        sizeBytes: 1,
        partition: -1,
        stage: 'Gateway',
        origin: this.origin,
        credit: admission.pipeline,
        ...fields,
      }),
    );
    if (isKafka) this.inFlight.add(records);
    const slice = { records, admitByMs, ...(signal === undefined ? {} : { signal }) };
    const done = this.keygen.take(slice, admission.keygen).then(() => {
      if (isKafka) return;
      const left = records.filter(({ verdict }) => verdict?.kind !== 'accepted');
      for (const record of left) record.credit.release(1, record.sizeBytes);
    });
    return { records, done };
  }

  /** Submits and waits for the verdicts. */
  async accept(payloads: readonly unknown[], options?: SubmitOptions): Promise<PipelineRecord[]> {
    const { records, done } = this.submit(payloads, options);
    await done;
    return [...records];
  }

  /** Runs everything that is due within `ms`. */
  advance(ms = 0): Promise<void> {
    return this.clock.advanceAsync(ms);
  }

  outstanding(pool: StageId | 'pipeline'): number {
    return this.controller.credits(pool).outstanding;
  }

  /** Credits out and credits given back too often, of all pools: all zero when every path is right. */
  leftovers(): Record<string, number> {
    const left: Record<string, number> = {};
    for (const pool of [...STAGE_IDS, 'pipeline'] as const) {
      const { outstanding, surplus, bytes } = this.controller.credits(pool);
      if (outstanding !== 0) left[`${pool} outstanding`] = outstanding;
      if (surplus !== 0) left[`${pool} surplus`] = surplus;
      if (bytes.outstanding !== 0) left[`${pool} bytes`] = bytes.outstanding;
    }
    return left;
  }

  /** How each record ended, by id. */
  endOf(record: PipelineRecord): string | undefined {
    const ending = this.books.ended.get(record.id);
    if (ending === undefined) return undefined;
    const { status, reason } = ending.terminal;
    return reason === undefined ? status : `${status}: ${reason}`;
  }

  private admission(count: number): { pipeline: Lot; keygen: Lot } {
    const admission = this.controller.tryAdmit(count, 1);
    const keygen = this.controller.requestCredits('KeyGen', count, 1);
    if (admission?.count !== count || keygen?.count !== count) {
      throw new Error(`The harness has no credits for ${count} records.`);
    }
    admission.gateway.release();
    return { pipeline: admission.pipeline, keygen };
  }
}

function stagesOf(capacity: Partial<Record<StageId, number>>): StageSpec[] {
  const change: Record<string, Partial<StageSpec>> = {};
  for (const id of STAGE_IDS) change[id] = { capacity: capacity[id] ?? 20_000 };
  return stagesWith(change);
}

function deadLettersOf(
  harness: StageHarness,
  isEnabled: boolean,
): { readonly isEnabled: boolean; readonly free: number } {
  return {
    isEnabled,
    get free() {
      const letters = [...harness.books.ended.values()].filter(
        ({ terminal }) => terminal.status === 'dead-lettered',
      );
      return harness.maxDeadLetters - letters.length;
    },
  };
}

/** Resolves when told; for calls and answers that a test holds back. */
export class Gate<T = void> {
  readonly promise: Promise<T>;
  open!: (value: T) => void;
  fail!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.open = resolve;
      this.fail = reject;
    });
  }
}
