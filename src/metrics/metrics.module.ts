import { type DynamicModule, Module } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { register } from 'prom-client';
import { BestEffortMetrics } from './best-effort-metrics.js';
import { DestinationMetrics } from './destination-metrics.js';
import { DeadLetterMetrics } from './dead-letter-metrics.js';
import { KafkaSinkMetrics } from './kafka-sink-metrics.js';
import { KafkaSourceMetrics } from './kafka-source-metrics.js';
import { MetricsController } from './metrics.controller.js';
import { PipelineMetrics } from './pipeline-metrics.js';
import { RecordCounters } from './record-counters.js';
import { RequestMetrics } from './request-metrics.js';
import { SourceMetrics } from './source-metrics.js';

/** GET /metrics: the pipeline's metrics and those of the process (memory, CPU, event loop, garbage collection). */
@Module({})
export class MetricsModule {
  /** One a process: the registry of the library is global, so a second application empties it. */
  static forRoot(): DynamicModule {
    register.clear();
    return {
      module: MetricsModule,
      imports: [PrometheusModule.register({ path: '/metrics', controller: MetricsController })],
      providers: [
        DestinationMetrics,
        DeadLetterMetrics,
        BestEffortMetrics,
        KafkaSinkMetrics,
        KafkaSourceMetrics,
        PipelineMetrics,
        RecordCounters,
        RequestMetrics,
        SourceMetrics,
      ],
      exports: [RequestMetrics],
    };
  }
}
