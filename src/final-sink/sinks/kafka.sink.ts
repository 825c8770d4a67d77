import { CircuitBreaker, type Clock, type RandomSource } from '#libs/flow-control';
import type {
  KafkajsSinkOptions,
  KafkaSink as Producer,
  Outgoing,
  SendOutcome,
  TopicCheck,
} from '#libs/kafka';
import {
  breakerOptionsOf,
  type DestinationGuardSettings,
} from '../../pipeline/destination/destination-guard.options.js';
import type { DestinationState } from '../../pipeline/destination/destinations.js';
import type { PipelineRecord } from '../../pipeline/record.js';
import { outgoingOf } from './outgoing.js';
import type { DeliveryContext, DeliveryOutcome, Sink, SinkStatus } from './sink.js';

export interface KafkaSinkParts {
  readonly name: string;
  readonly topic: string;
  readonly breaker: Omit<DestinationGuardSettings, 'outagePolicy'>;
  /** Makes the bounded producer; its record bound covers all records that FinalSink hands over. */
  readonly createProducer: (policy: Pick<KafkajsSinkOptions, 'breaker' | 'retryInMs'>) => Producer;
  /** Makes the check of the output topic. */
  readonly createTopicCheck: (
    onReady: () => void,
  ) => Pick<TopicCheck, 'state' | 'detail' | 'start' | 'stop'>;
  readonly clock: Clock;
  readonly random: RandomSource;
}

/** What kafkajs groups in a few ms. */
const MAX_BATCH_RECORDS = 1000;

const STOPPED: SendOutcome = {
  kind: 'failed',
  failure: { kind: 'outage', message: 'Kafka: the sink was stopped.' },
};

/** A record at the producer, and who decides about its failures. */
interface Sent extends Outgoing {
  readonly record: PipelineRecord;
  readonly context: DeliveryContext;
}

/**
 * Delivers to a Kafka topic, at least once, in order per key.
 *
 * Flow: `deliver` → producer's lane of the key's partition → answer of all in-sync replicas → acknowledged. What failed
 * stays at the head of its lane and goes again when FinalSink's retry policy says so.
 *
 * KS1 records reach the producer in the order of the calls, also when it has no room for a while.
 * KS2 nothing is sent before the topic exists and is as configured; records wait, which is pressure and no error.
 * KS3 a batch goes again as long as one of its records may: giving up a part of it would let others overtake.
 */
export class KafkaSink implements Sink {
  readonly name: string;
  readonly isOrdered = true;
  readonly repeats = true;
  readonly endsRecords = false;
  readonly maxBatchRecords = MAX_BATCH_RECORDS;
  private readonly producer: Producer;
  readonly breaker: CircuitBreaker;
  private readonly topicCheck: ReturnType<KafkaSinkParts['createTopicCheck']>;
  private readonly roomWaiters = new Set<() => void>();
  /** Calls that wait for room, and the last of them. */
  private line: Promise<void> = Promise.resolve();
  private waiting = 0;
  private state: 'running' | 'failing' | 'stopped' = 'running';

  constructor(private readonly parts: KafkaSinkParts) {
    const { clock, random } = parts;
    this.name = parts.name;
    this.breaker = new CircuitBreaker({ ...breakerOptionsOf(parts.breaker), clock, random });
    this.producer = parts.createProducer({
      breaker: this.breaker,
      retryInMs: ({ failure, records }) => {
        if (failure.kind !== 'final' && this.state === 'running') this.state = 'failing';
        // They are those that `deliver` made.
        const delays = (records as readonly Sent[]).flatMap(
          ({ record, context }) => context.again(record, failure) ?? [],
        );
        return delays.length === 0 ? undefined : delays.reduce((a, b) => Math.max(a, b));
      },
    });
    this.topicCheck = parts.createTopicCheck(() => this.producer.start());
  }

  get isHeld(): boolean {
    return this.state === 'failing' || this.producer.snapshot().partitions === 0;
  }

  /** Returns before there is a connection: the service starts without a broker. */
  start(): Promise<void> {
    this.topicCheck.start();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.state = 'stopped';
    this.roomChanged();
    await Promise.all([this.topicCheck.stop(), this.producer.stop()]);
  }

  async deliver(
    records: readonly PipelineRecord[],
    context: DeliveryContext,
  ): Promise<readonly DeliveryOutcome[]> {
    const outcomes = await this.handOver(records.map((record) => sentOf(record, context)));
    return outcomes.map((outcome) => this.outcomeOf(outcome));
  }

  status(): SinkStatus & Required<Pick<SinkStatus, 'producer'>> {
    const producer = this.producer.snapshot();
    return { topic: this.parts.topic, ...this.stateNow(producer.partitions), producer };
  }

  private stateNow(partitions: number): { state: DestinationState; detail: string | undefined } {
    const { state, detail } = this.topicCheck;
    if (state === 'waiting') return { state: 'away', detail };
    if (state !== 'ready') return { state, detail };
    if (this.breaker.state !== 'closed') {
      return { state: 'away', detail: 'Sends fail; one at a time is tried.' };
    }
    return { state: partitions === 0 ? 'connecting' : 'ready', detail: undefined };
  }

  private handOver(sent: readonly Sent[]): Promise<readonly SendOutcome[]> {
    const answer = this.waiting === 0 ? this.producer.deliver(sent) : undefined;
    return answer === undefined ? this.handOverInParts(sent) : this.watched(answer);
  }

  /** As there is room, behind the calls that wait for it already. */
  private async handOverInParts(sent: readonly Sent[]): Promise<readonly SendOutcome[]> {
    const answers: Promise<readonly SendOutcome[]>[] = [];
    this.waiting += 1;
    this.line = this.line.then(() => this.place(sent, answers));
    await this.line;
    this.waiting -= 1;
    return (await Promise.all(answers)).flat();
  }

  private async place(
    sent: readonly Sent[],
    answers: Promise<readonly SendOutcome[]>[],
  ): Promise<void> {
    let left = sent;
    while (left.length > 0) {
      const count = this.producer.accepts(left);
      const answer = count > 0 ? this.producer.deliver(left.slice(0, count)) : undefined;
      if (answer !== undefined) {
        answers.push(this.watched(answer));
        left = left.slice(count);
      } else if (this.state === 'stopped') {
        answers.push(Promise.resolve(left.map(() => STOPPED)));
        return;
      } else {
        await new Promise<void>((resolve) => this.roomWaiters.add(resolve));
      }
    }
  }

  /** An answer means room; there is one to come as long as there is none. */
  private async watched(answer: Promise<readonly SendOutcome[]>): Promise<readonly SendOutcome[]> {
    const outcomes = await answer;
    if (this.state === 'failing' && outcomes.some(({ kind }) => kind === 'acknowledged')) {
      this.state = 'running';
    }
    this.roomChanged();
    return outcomes;
  }

  private roomChanged(): void {
    for (const resume of this.roomWaiters) resume();
    this.roomWaiters.clear();
  }

  private outcomeOf(outcome: SendOutcome): DeliveryOutcome {
    if (outcome.kind === 'failed') return outcome;
    return { kind: 'acknowledged', externalId: new SentTo(this.parts.topic, outcome) };
  }
}

/** Where a record is. Few are asked for: of a record from Kafka the books keep it only when it had failed before. */
class SentTo {
  constructor(
    private readonly topic: string,
    private readonly place: Extract<SendOutcome, { kind: 'acknowledged' }>,
  ) {}

  toString(): string {
    const { partition, offset } = this.place;
    return `${this.topic}:${partition}:${offset}`;
  }
}

function sentOf(record: PipelineRecord, context: DeliveryContext): Sent {
  const { recordId, key, value, headers, attempt } = outgoingOf(record);
  return { recordId, key, value, headers, attempt, record, context };
}
