import type { Outgoing } from '../../libs/kafka/src/kafka-sink.js';
import type { PartitionProducer } from '../../libs/kafka/src/partition-producer.js';

/** A send that is out, to be answered by the test. */
export interface ScriptedSend {
  readonly partition: number;
  readonly ids: readonly string[];
  readonly failedSends: number;
  answer(baseOffset?: bigint): void;
  fail(error: unknown): void;
  readonly isAnswered: boolean;
}

/** A producer whose every answer is the test's. Offsets go up by themselves per partition. */
export class ScriptedProducer implements PartitionProducer {
  readonly sends: ScriptedSend[] = [];
  /** What each partition has been told to be written, in order. */
  readonly written = new Map<number, string[]>();
  connects = 0;
  isClosed = false;
  connectError: Error | undefined;
  onConnect: () => void = () => undefined;

  get out(): readonly ScriptedSend[] {
    return this.sends.filter((send) => !send.isAnswered);
  }

  connect(): Promise<void> {
    this.connects += 1;
    if (this.connectError !== undefined) return Promise.reject(this.connectError);
    this.onConnect();
    return Promise.resolve();
  }

  send(partition: number, records: readonly Outgoing[], failedSends: number): Promise<bigint> {
    const ids = records.map((record) => record.recordId);
    return new Promise((resolve, reject) => {
      const send = {
        partition,
        ids,
        failedSends,
        isAnswered: false,
        answer: (baseOffset?: bigint) => {
          send.isAnswered = true;
          const log = this.written.get(partition) ?? [];
          this.written.set(partition, log);
          resolve(baseOffset ?? BigInt(log.length));
          log.push(...ids);
        },
        fail: (error: unknown) => {
          send.isAnswered = true;
          reject(error as Error);
        },
      };
      this.sends.push(send);
    });
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** An answer of the broker with one of Kafka's error codes. */
export function brokerError(type: string): Error {
  return Object.assign(new Error(`the broker says ${type}`), { type });
}
