import { Injectable } from '@nestjs/common';
import { LatencyHistogram } from '#libs/flow-control';
import { InFlight } from '../pipeline/in-flight.js';
import type { PipelineRecord } from '../pipeline/record.js';
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
    });
  }

  get inFlightNow(): number {
    return this.inFlight.size;
  }

  private settled(records: readonly PipelineRecord[]): void {
    const nowMs = this.runtime.clock.wallNow();
    for (const { terminal, source, receivedAtMs } of records) {
      // Without an end it was left to the journal, and another process will count it.
      if (terminal === undefined) continue;
      this.ended.add({ outcome: terminal.status, source });
      this.seconds.record(nowMs - receivedAtMs);
      this.secondsOf[source].record(nowMs - receivedAtMs);
    }
  }
}
