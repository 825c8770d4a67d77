import { Module } from '@nestjs/common';
import { PipelineModule } from '../pipeline/pipeline.module.js';
import { AuditModule } from './audit.module.js';
import { BooksController } from './books.controller.js';
import { ConfigController } from './config.controller.js';
import { DeadLettersController } from './dead-letters.controller.js';
import { EventStream } from './event-stream.js';
import { EventsController } from './events.controller.js';
import { IndexController } from './index.controller.js';
import { PauseController } from './pause.controller.js';
import { PauseDesk } from './pause-desk.js';
import { Peers } from './peers.js';
import { PipelineStatusController } from './pipeline-status.controller.js';
import { RuntimeSettings } from './runtime-settings.js';
import { SettingStore } from './setting-store.js';
import { SinksController } from './sinks.controller.js';
import { SourcesController } from './sources.controller.js';
import { StageDesk } from './stage-desk.js';
import { StagesController } from './stages.controller.js';
import { StatusReader } from './status-reader.js';

/**
 * What operators see and change. Needs APP_OPTIONS, EFFECTIVE_SETTINGS, the pipeline's ports, the ledger's readers and the
 * DataSource from global modules.
 */
@Module({
  imports: [PipelineModule, AuditModule],
  controllers: [
    PipelineStatusController,
    StagesController,
    PauseController,
    SourcesController,
    SinksController,
    BooksController,
    ConfigController,
    DeadLettersController,
    EventsController,
    IndexController,
  ],
  providers: [
    EventStream,
    PauseDesk,
    Peers,
    RuntimeSettings,
    SettingStore,
    StageDesk,
    StatusReader,
  ],
})
export class AdminModule {}
