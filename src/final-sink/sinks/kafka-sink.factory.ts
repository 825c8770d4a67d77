import { Inject, Injectable, Optional } from '@nestjs/common';
import {
  createKafka,
  kafkajsSink,
  registerCodecs,
  SOURCE_TIMING,
  TopicCheck,
  Transactions,
} from '#libs/kafka';
import { APP_OPTIONS, type AppOptions } from '../../config/app-options.js';
import {
  kafkajsSinkOptionsOf,
  outputSpecOf,
  type SinkSettings,
} from '../../config/kafka-settings.js';
import { kafkaLogger } from '../../logging/kafka-logger.js';
import { StageRuntime } from '../../pipeline/stage-runtime.js';
import { KafkaSink, type KafkaSinkParts } from './kafka.sink.js';
import {
  TransactionalKafkaSink,
  type TransactionalKafkaSinkParts,
} from './transactional-kafka.sink.js';

/** A compressed answer of a broker may expand to this much; of a sink they are small. */
const MAX_DECOMPRESSED_BYTES = 64 * 1_048_576;

interface KafkaPlace {
  /** Of the sink. */
  readonly name: string;
  readonly topic: string;
}

/** Makes the Kafka sink from the settings. */
@Injectable()
export class KafkaSinkFactory {
  private readonly logger = kafkaLogger('KafkaSink');

  constructor(
    @Inject(APP_OPTIONS) private readonly options: AppOptions,
    private readonly runtime: StageRuntime,
    @Optional() private readonly transactions?: Transactions,
  ) {}

  create({ name, topic }: KafkaPlace): KafkaSink {
    const { clock, random } = this.runtime;
    const { logger } = this;
    const settings = kafkajsSinkOptionsOf(this.options, topic);
    registerCodecs({
      needed: settings.tuning.compression,
      maxDecompressedBytes: MAX_DECOMPRESSED_BYTES,
    });
    const sink = new KafkaSink({
      name,
      topic,
      breaker: this.options.finalSink,
      clock,
      random,
      createProducer: (policy) => kafkajsSink({ ...settings, ...policy, clock, random, logger }),
      createTopicCheck: this.topicCheckOf(settings),
    });
    this.show(sink);
    return sink;
  }

  /** In exactly-once mode; undefined in the other one. */
  createTransactional(
    { name, topic }: KafkaPlace,
    books: Pick<TransactionalKafkaSinkParts, 'acknowledgments' | 'requireKafkaOnly'>,
  ): TransactionalKafkaSink | undefined {
    const { transactions } = this;
    if (transactions === undefined) return undefined;
    const { clock } = this.runtime;
    const settings = kafkajsSinkOptionsOf(this.options, topic);
    const sink = new TransactionalKafkaSink({
      ...books,
      name,
      topic,
      transactions,
      clock,
      capacity: { records: settings.maxRecords, bytes: settings.tuning.bufferBytes },
      createTopicCheck: this.topicCheckOf(settings),
    });
    this.show(sink);
    return sink;
  }

  private show(sink: KafkaSink | TransactionalKafkaSink): void {
    this.runtime.controller.setProcessInput('network', `${sink.name} producer`, () => {
      const { queuedBytes, byteCapacity } = sink.status().producer;
      return queuedBytes / byteCapacity;
    });
  }

  private topicCheckOf({ topic, connection }: SinkSettings): KafkaSinkParts['createTopicCheck'] {
    const { kafka } = this.options;
    const { clock, random } = this.runtime;
    const { logger } = this;
    return (onReady) =>
      new TopicCheck({
        specs: [outputSpecOf(kafka, topic)],
        create: kafka.createTopics,
        createAdmin: () => createKafka(connection, SOURCE_TIMING.requestTimeoutMs, logger).admin(),
        onReady,
        clock,
        random,
        logger,
      });
  }
}
