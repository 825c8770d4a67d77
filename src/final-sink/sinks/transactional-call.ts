import type { TransactionRecord } from '#libs/kafka';
import { orderOf, parsePosition } from '../../ledger/kafka-position.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import type { LaneItem } from './input-lane.js';
import { outgoingOf } from './outgoing.js';
import type { DeliveryContext, DeliveryOutcome } from './sink.js';

/** A record at the sink, and the call that it came with. */
export interface HeldRecord extends LaneItem {
  readonly record: PipelineRecord;
  readonly outgoing: TransactionRecord;
  readonly call: TransactionalCall;
  readonly index: number;
  readonly topic: string;
  readonly partition: number;
  /** Names the input partition within one incarnation of its topic. */
  readonly laneName: string;
  /** It has its end, and is not to be sent. */
  isGivenUp: boolean;
}

/** Of a dead letter that is sent again: its offset was committed when it became one. */
const NO_OFFSET: DeliveryOutcome = {
  kind: 'failed',
  failure: {
    kind: 'final',
    message:
      'Kafka: in exactly-once mode no dead letter is sent again, since no offset stands for it.',
  },
};

/** One call of the sink: answered when each of its records has an outcome. */
export class TransactionalCall {
  readonly held: readonly HeldRecord[];
  readonly outcomes: Promise<readonly DeliveryOutcome[]>;
  private readonly answers: (DeliveryOutcome | undefined)[];
  private left: number;
  private answer: (outcomes: readonly DeliveryOutcome[]) => void = () => undefined;

  constructor(
    records: readonly PipelineRecord[],
    readonly context: DeliveryContext,
  ) {
    this.answers = records.map((record) => (orderOf(record) ? undefined : NO_OFFSET));
    this.held = records.flatMap((record, index) => this.hold(record, index) ?? []);
    this.left = this.held.length;
    this.outcomes = new Promise((resolve) => {
      this.answer = resolve;
    });
    if (this.left === 0) this.answer(this.answers as readonly DeliveryOutcome[]);
  }

  /** The first outcome counts; false for any later one. */
  settle({ index }: HeldRecord, outcome: DeliveryOutcome): boolean {
    if (this.answers[index] !== undefined) return false;
    this.answers[index] = outcome;
    this.left -= 1;
    if (this.left === 0) this.answer(this.answers as readonly DeliveryOutcome[]);
    return true;
  }

  private hold(record: PipelineRecord, index: number): HeldRecord | undefined {
    const position = parsePosition(record.id);
    const completion = orderOf(record);
    if (position === undefined || completion === undefined) return undefined;
    const { topic, partition, offset } = position;
    return {
      record,
      outgoing: { ...outgoingOf(record), offset },
      call: this,
      index,
      completion,
      topic,
      partition,
      offset,
      laneName: record.id.slice(0, record.id.lastIndexOf(':')),
      isGivenUp: false,
    };
  }
}
