import { Inject, Injectable, Logger } from '@nestjs/common';
import type { StageMeter } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { drain } from '../pipeline/drain.js';
import { InFlight } from '../pipeline/in-flight.js';
import { passOn } from '../pipeline/pass-on.js';
import { PipelineFunctionError } from '../pipeline/pipeline-function.error.js';
import { isUnawaited } from '../pipeline/promise-like.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { Slice, Stage } from '../pipeline/stage.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { WaitingLine } from '../pipeline/waiting-line.js';
import { KEYGEN_OPTIONS, type KeyGenOptions } from './keygen.options.js';
import { PartitionLoad } from './partition-load.js';

/** Of a record that was not placed, since its key could not be computed. */
const NO_PARTITION = -1;

/**
 * KeyGen: gives each record its key and partition, and holds it until IngressProcessing has room.
 *
 * A key that can't be computed does not end the record here: IngressProcessing knows first whether the payload is
 * invalid, which is the caller's fault and the better answer.
 */
@Injectable()
export class KeyGenStage implements Stage {
  readonly id = 'KeyGen';
  readonly load: PartitionLoad;
  private readonly logger = new Logger(KeyGenStage.name);
  private readonly meter: StageMeter;
  private readonly line: WaitingLine;
  private next: Stage | undefined;

  constructor(
    private readonly runtime: StageRuntime,
    @Inject(KEYGEN_OPTIONS) private readonly options: KeyGenOptions,
    @Inject(PIPELINE_DEFINITION) private readonly definition: AnyPipelineDefinition,
    private readonly inFlight: InFlight,
  ) {
    const { controller, clock, random } = runtime;
    this.load = new PartitionLoad(options, random);
    runtime.partitions.show(() => this.load.counts());
    this.meter = controller.meter(this.id);
    this.line = new WaitingLine({
      stage: this.id,
      capacity: options.maxQueueSize,
      maxSlices: options.bufferSize,
      clock,
      meter: this.meter,
    });
  }

  connect(next: Stage): void {
    this.next = next;
  }

  start(): void {
    this.meter.queueCapacity(Math.max(1, this.options.maxQueueSize));
    this.runtime.limits.watch(this.id, ({ bufferSize }) => this.line.admit(bufferSize));
    this.inFlight.watch({
      resumed: (records) => {
        for (const { key, partition } of records) this.load.resume(key, partition);
      },
      settled: (records) => {
        for (const record of records) this.forget(record);
      },
    });
  }

  take(slice: Slice, lot: Lot): Promise<void> {
    const { records } = slice;
    const takenMs = this.runtime.clock.now();
    for (const record of records) this.place(record);
    this.warnOfImbalance();
    const { controller, clock } = this.runtime;
    const passed = passOn(slice, lot, this.connected(), {
      controller,
      clock,
      line: this.line,
      onHandedOn: (count) => this.meter.completed(count, clock.now() - takenMs),
    });
    // Every Kafka record has an end to come, of which `settled` tells.
    if (records[0]?.source === 'kafka') return passed;
    return passed.then(() => {
      for (const record of records) if (record.verdict?.kind !== 'accepted') this.forget(record);
    });
  }

  drain(deadlineMs: number): Promise<void> {
    const { clock } = this.runtime;
    const inside = (): number => this.line.waiting;
    return drain({ clock, deadlineMs, inside });
  }

  /** Nothing to end: what waits here ends by its own deadline or with the controller. */
  stop(): void {}

  private place(record: PipelineRecord): void {
    record.stage = this.id;
    record.partition = NO_PARTITION;
    // A payload that could not be read has none.
    if (record.verdict !== undefined) return;
    const { key } = this.definition;
    if (key !== undefined) {
      try {
        record.key = asKey(key(record.payload as never));
        record.keyBytes = undefined;
      } catch (error) {
        record.verdict = { kind: 'refused', error: PipelineFunctionError.threw('key', error) };
        return;
      }
    }
    record.partition =
      record.source === 'kafka' ? this.load.placeFixed(record.key) : this.load.place(record.key);
  }

  private forget({ source, key, partition }: PipelineRecord): void {
    if (partition === NO_PARTITION) return;
    this.load.leave(source === 'kafka' ? undefined : key, partition);
  }

  private warnOfImbalance(): void {
    const imbalance = this.load.newImbalance();
    if (imbalance === undefined) return;
    const { most, least } = imbalance;
    this.logger.warn(
      `imbalance: partition ${most.partition} has ${most.inFlight} records in flight, partition ` +
        `${least.partition} has ${least.inFlight} (threshold ${this.options.loadImbalanceThreshold}).`,
    );
  }

  private connected(): Stage {
    if (this.next === undefined) throw new Error('KeyGen is not connected to a next stage.');
    return this.next;
  }
}

function asKey(key: unknown): string | undefined {
  if (typeof key === 'string' && !key.includes('\0')) return key;
  if (key === undefined || key === null) return undefined;
  if (typeof key === 'number' && Number.isFinite(key)) return String(key);
  const what = isUnawaited(key) ? 'a promise' : shown(key);
  throw new PipelineFunctionError(
    'key',
    `must return a string, a number, undefined or null (got ${what})`,
  );
}

function shown(key: unknown): string {
  if (typeof key === 'string') return 'text with U+0000';
  return typeof key === 'number' ? String(key) : typeof key;
}
