import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { APP_OPTIONS, type AppOptions } from '../../config/app-options.js';
import type { ConfiguredSink } from '../../config/sinks-of.js';
import { Acknowledgments } from '../../ledger/acknowledgments.port.js';
import { requireEmptyJournal } from '../../ledger/empty-journal.js';
import { ensureSinkTable } from '../../ledger/sink-table.js';
import type { PayloadFormat } from '../../pipeline/definition.js';
import { StageRuntime } from '../../pipeline/stage-runtime.js';
import { webhookKeys } from '../../pipeline/webhook-secret.js';
import { CallbackSink } from './callback.sink.js';
import { KafkaSinkFactory } from './kafka-sink.factory.js';
import { MappedSink } from './mapped.sink.js';
import { PostgresSink } from './postgres.sink.js';
import type { Sink } from './sink.js';

/** What a sink needs to know beside its own configuration. */
export interface SinkSurroundings {
  /** It is one of several. */
  readonly isShared: boolean;
  readonly format: PayloadFormat;
}

/** Makes the sinks from the settings and the definition. */
@Injectable()
export class SinkFactory {
  constructor(
    @Inject(APP_OPTIONS) private readonly options: AppOptions,
    private readonly runtime: StageRuntime,
    private readonly kafka: KafkaSinkFactory,
    private readonly acknowledgments: Acknowledgments,
    private readonly database: DataSource,
  ) {}

  /** Throws a TypeError for what `checkDefinition` and the rules of the settings have let through. */
  create(configured: ConfiguredSink, surroundings: SinkSurroundings): Sink {
    const sink = this.plain(configured, surroundings);
    const { map } = configured;
    return map === undefined ? sink : new MappedSink(sink, map);
  }

  private plain(sink: ConfiguredSink, { isShared, format }: SinkSurroundings): Sink {
    const { name } = sink;
    switch (sink.kind) {
      case 'postgres':
        return new PostgresSink(this.acknowledgments, {
          name,
          isShared,
          table: sink.table,
          ensureTable: (table) => ensureSinkTable(this.database, table),
        });
      case 'kafka':
        return this.kafkaSink({ name, topic: given(sink.topic, 'KAFKA_OUTPUT_TOPIC') });
      case 'callback':
        return this.callback(sink, format);
    }
  }

  private kafkaSink(place: { readonly name: string; readonly topic: string }): Sink {
    const { acknowledgments } = this;
    const requireKafkaOnly = (): Promise<void> => requireEmptyJournal(this.database);
    const books = { acknowledgments, requireKafkaOnly };
    return this.kafka.createTransactional(place, books) ?? this.kafka.create(place);
  }

  private callback(
    sink: Extract<ConfiguredSink, { kind: 'callback' }>,
    format: PayloadFormat,
  ): CallbackSink {
    const { maxPendingAcknowledgments, acknowledgmentTimeoutMs } = this.options.finalSink;
    return new CallbackSink({
      name: sink.name,
      url: given(sink.url, 'CALLBACK_URL'),
      keys: given(webhookKeys(sink.secret ?? ''), 'CALLBACK_SECRET'),
      contentType: format === 'bytes' ? 'application/octet-stream' : 'application/json',
      maxRequests: maxPendingAcknowledgments,
      answerTimeoutMs: acknowledgmentTimeoutMs,
      clock: this.runtime.clock,
    });
  }
}

function given<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new TypeError(`${name} must be set.`);
  return value;
}
