import { Module } from '@nestjs/common';
import { PipelineModule } from '../pipeline/pipeline.module.js';
import { AuditModule } from './audit.module.js';
import { DeadLettersController } from './dead-letters.controller.js';
import { IndexController } from './index.controller.js';
import { PipelineStatusController } from './pipeline-status.controller.js';
import { SourcesController } from './sources.controller.js';

@Module({
  imports: [PipelineModule, AuditModule],
  controllers: [
    PipelineStatusController,
    SourcesController,
    DeadLettersController,
    IndexController,
  ],
})
export class AdminModule {}
