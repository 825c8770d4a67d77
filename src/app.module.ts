import { type DynamicModule, Module } from '@nestjs/common';
import { BackPressureModule } from '#libs/back-pressure';
import { AdminModule } from './admin/admin.module.js';
import { instanceOf } from './config/instance.js';
import { checkDefinition } from './config/definition-rules.js';
import type { LoadedOptions } from './config/load-options.js';
import { OptionsModule } from './config/options.module.js';
import { sinksOf } from './config/sinks-of.js';
import { DatabaseModule } from './database/database.module.js';
import { DeadLettersModule } from './dead-letters/dead-letters.module.js';
import { HealthModule } from './health/health.module.js';
import { LedgerModule } from './ledger/ledger.module.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { memoryLimitBytes } from './pipeline/buffer-memory.js';
import type { AnyPipelineDefinition } from './pipeline/definition.js';
import { PipelinePortsModule } from './pipeline/pipeline-ports.module.js';
import { PipelineModule } from './pipeline/pipeline.module.js';
import { backPressureOptions } from './pipeline/stage-specs.js';

/** The composition root: the only file that lists every module. */
@Module({})
export class AppModule {
  /** Throws a ConfigurationError when the definition's sinks need settings that are not there. */
  static forRoot(
    { options, settings }: Pick<LoadedOptions, 'options' | 'settings'>,
    definition: AnyPipelineDefinition,
  ): DynamicModule {
    checkDefinition(options, definition);
    const { bounds, database, egress, keygen, ledger, service } = options;
    return {
      module: AppModule,
      imports: [
        OptionsModule.forRoot(options, settings),
        BackPressureModule.forRoot(backPressureOptions(options, memoryLimitBytes())),
        DatabaseModule.forRoot(),
        LedgerModule.forRootAsync({
          useFactory: () => ({
            instanceId: instanceOf(service),
            leaseMs: database.leaseMs,
            partitions: keygen.numberOfPartitions,
            maxRecords: ledger.journalMaxRecords,
            maxBytes: ledger.journalMaxBytes,
            idempotencyTtlHours: bounds.idempotencyTtlHours,
            destinations: sinksOf(definition, options).map(({ name }) => name),
          }),
        }),
        DeadLettersModule.forRootAsync({
          useFactory: () => ({ maxLetters: egress.maxDeadLetterQueueSize }),
        }),
        PipelinePortsModule.forRoot(definition),
        PipelineModule,
        HealthModule,
        MetricsModule.forRoot(),
        AdminModule,
      ],
    };
  }
}
