import { Module } from '@nestjs/common';
import { PipelineModule } from '../pipeline/pipeline.module.js';
import { IndexController } from './index.controller.js';
import { PipelineStatusController } from './pipeline-status.controller.js';
import { SourcesController } from './sources.controller.js';

@Module({
  imports: [PipelineModule],
  controllers: [PipelineStatusController, SourcesController, IndexController],
})
export class AdminModule {}
