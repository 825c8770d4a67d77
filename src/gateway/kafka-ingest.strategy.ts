import type { EventEmitter } from 'node:events';
import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import type { Clock } from '#libs/flow-control';
import type { KafkaBooks, KafkaSource, KafkaSourceEventMap, SourceHandler } from '#libs/kafka';
import type { PipelineSource } from '../pipeline/pipeline.lifecycle.js';

/** What the application knows this transport by. */
export const KAFKA_INGEST = Symbol('KAFKA_INGEST');

type StrategyEvents = {
  [Name in keyof KafkaSourceEventMap]: (...told: KafkaSourceEventMap[Name]) => void;
};

export interface KafkaIngestParts {
  readonly intake: SourceHandler;
  readonly books: KafkaBooks;
  readonly clock: Clock;
}

/**
 * The Kafka source as a transport of Nest, which hosts it (`connectMicroservice`): whole slices go to the Gateway, so no
 * handler of a message is ever looked for.
 *
 * Records flow when both have happened, in any order: Nest listens, and the pipeline runs. The service neither needs nor
 * waits for a broker. The pipeline's lifecycle drains and stops it, since what is inside has to come first; `close` finds
 * that done.
 */
export class KafkaIngestStrategy
  extends Server<StrategyEvents>
  implements CustomTransportStrategy, PipelineSource
{
  override readonly transportId = KAFKA_INGEST;
  override readonly propagatesEventHandlerErrors = true;
  readonly keepsRecords = true;
  private isListening = false;
  private isPipelineRunning = false;

  constructor(
    private readonly source: KafkaSource,
    private readonly parts: KafkaIngestParts,
  ) {
    super();
    source.events.on('state', ({ to }) => this._status$.next(to));
  }

  listen(callback: () => void): void {
    this.isListening = true;
    this.run();
    callback();
  }

  start(): void {
    this.isPipelineRunning = true;
    this.run();
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.source.drain(Math.max(0, deadlineMs - this.parts.clock.now()));
  }

  stop(): Promise<void> {
    return this.source.stop();
  }

  close(): Promise<void> {
    return this.source.stop();
  }

  on<Name extends keyof StrategyEvents>(event: Name, callback: StrategyEvents[Name]): void {
    const { events }: { events: EventEmitter } = this.source;
    events.on(event, callback);
  }

  /** The KafkaSource. */
  unwrap<T>(): T {
    return this.source as T;
  }

  private run(): void {
    if (!this.isListening || !this.isPipelineRunning) return;
    this.source.start(this.parts.intake, this.parts.books);
  }
}
