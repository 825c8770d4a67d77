import type { Lot } from '#libs/flow-control';
import type { Ending } from '../ledger/acknowledgments.port.js';
import type { Carried } from '../pipeline/give-back.js';
import type { PipelineRecord, Terminal } from '../pipeline/record.js';
import type { Delivered } from './delivery-item.js';
import { completeEnding } from './fan-out.js';
import type { RecordEnds } from './record-ends.js';
import type { Distribution, SinkRoute } from './sink-route.js';

/** The way of records to a single sink: its answer is their end. No copy, and nothing that outlives the answer. */
export class OnlySink implements Distribution {
  constructor(
    private readonly route: SinkRoute,
    private readonly ends: RecordEnds,
  ) {}

  take(records: readonly PipelineRecord[], lot: Lot): void {
    const { deliveries, sink } = this.route;
    if (records.every(({ deliverTo }) => deliverTo === undefined || deliverTo.has(sink.name))) {
      deliveries.take(records, lot);
      return;
    }
    // From a time with other sinks, or another name: this one has acknowledged them.
    const isOpen = ({ deliverTo }: PipelineRecord): boolean =>
      deliverTo === undefined || deliverTo.has(sink.name);
    const complete = records.filter((record) => !isOpen(record));
    deliveries.take(records.filter(isOpen), lot);
    const carried = complete.map((record) => ({ record, lot }));
    void this.ends.enter(carried.map(completeEnding), carried);
  }

  delivered({ sink }: SinkRoute, delivered: readonly Delivered[]): void {
    const endings = delivered.map((each) => endingOf(each, sink.name));
    if (sink.endsRecords) this.ends.tell(endings, delivered);
    else void this.ends.enter(endings, delivered);
  }

  gaveUp({ sink }: SinkRoute, { record, lot }: Carried, reason: string): Promise<void> {
    const { attempts } = record;
    return this.ends.deadLetter({ record, attempts, destination: sink.name }, { reason, lot });
  }
}

const ACKNOWLEDGED: Terminal = Object.freeze({ status: 'acknowledged' });

function endingOf({ record, externalId }: Delivered, destination: string): Ending {
  return { record, terminal: ACKNOWLEDGED, attempts: record.attempts, destination, externalId };
}
