import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { PipelineModule } from '../pipeline/pipeline.module.js';
import { DatabaseHealthIndicator } from './database.health.js';
import { DestinationsHealthIndicator } from './destinations.health.js';
import { EndpointsHealthIndicator } from './endpoints.health.js';
import { HealthController } from './health.controller.js';
import { HealthIndicators } from './health.indicators.js';
import { IntakeHealthIndicator } from './intake.health.js';
import { KafkaSourceHealthIndicator } from './kafka-source.health.js';
import { PausesHealthIndicator } from './pauses.health.js';
import { SustainedPressure } from './sustained-pressure.js';

@Module({
  // A probe asks every few seconds: what fails is answered, not logged each time.
  imports: [PipelineModule, TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [
    HealthIndicators,
    DatabaseHealthIndicator,
    DestinationsHealthIndicator,
    EndpointsHealthIndicator,
    IntakeHealthIndicator,
    KafkaSourceHealthIndicator,
    PausesHealthIndicator,
    SustainedPressure,
  ],
})
export class HealthModule {}
