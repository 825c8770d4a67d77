import { Injectable } from '@nestjs/common';
import { LatencyHistogram } from '#libs/flow-control';
import { InFlight } from '../pipeline/in-flight.js';
import type { PipelineRecord, TerminalStatus } from '../pipeline/record.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { LabelCounter } from './label-counter.js';

/** Counts records at their ends; cheap enough for every record. */
@Injectable()
export class RecordCounters {
  readonly ended = new LabelCounter();
  readonly seconds = new LatencyHistogram();
  readonly secondsOf = { rest: new LatencyHistogram(), kafka: new LatencyHistogram() } as const;
  resumed = 0;

  constructor(
    private readonly inFlight: InFlight,
    private readonly runtime: StageRuntime,
  ) {
    inFlight.watch({
      resumed: (records) => {
        this.resumed += records.length;
      },
      settled: (records) => this.settled(records),
      discarded: (records) => this.count(records, 'discarded'),
    });
  }

  get inFlightNow(): number {
    return this.inFlight.size;
  }

  private settled(records: readonly PipelineRecord[]): void {
    for (const record of records) {
      // Without an end it was left to the journal, and another process will count it.
      if (record.terminal !== undefined) this.count([record], record.terminal.status);
    }
  }

  private count(records: readonly PipelineRecord[], outcome: TerminalStatus): void {
    const nowMs = this.runtime.clock.wallNow();
    for (const { source, receivedAtMs } of records) {
      this.ended.add({ outcome, source });
      this.seconds.record(nowMs - receivedAtMs);
      this.secondsOf[source].record(nowMs - receivedAtMs);
    }
  }
}
