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
      // Without an end it was left to the journal, and another process will count it.
      settled: (records) => this.count(records, ({ terminal }) => terminal?.status),
      discarded: (records) => this.count(records, () => 'discarded'),
    });
  }

  get inFlightNow(): number {
    return this.inFlight.size;
  }

  private count(
    records: readonly PipelineRecord[],
    outcomeOf: (record: PipelineRecord) => TerminalStatus | undefined,
  ): void {
    const nowMs = this.runtime.clock.wallNow();
    for (let from = 0; from < records.length;) {
      const { source } = records[from]!;
      const outcome = outcomeOf(records[from]!);
      // Neighbours are alike as a rule: their labels are looked up once.
      let to = from;
      for (; to < records.length && records[to]!.source === source; to += 1) {
        const record = records[to]!;
        if (outcomeOf(record) !== outcome) break;
        if (outcome === undefined) continue;
        this.seconds.record(nowMs - record.receivedAtMs);
        this.secondsOf[source].record(nowMs - record.receivedAtMs);
      }
      if (outcome !== undefined) this.ended.add({ outcome, source }, to - from);
      from = to;
    }
  }
}
