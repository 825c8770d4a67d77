import { HealthIndicatorService } from '@nestjs/terminus';
import type { KafkaOptions } from '../config/kafka.options.js';
import type { AnyPipelineDefinition } from '../pipeline/definition.js';
import { Intake } from '../pipeline/intake.js';
import { kafka, rest, type SourceDefinition } from '../pipeline/source-definition.js';
import { IntakeHealthIndicator } from './intake.health.js';

function setUp(
  sources: readonly SourceDefinition[] | undefined,
  deliveryGuarantee: KafkaOptions['deliveryGuarantee'] = 'at-least-once',
) {
  const intake = new Intake();
  intake.open('starting');
  const definition = { sources } as unknown as AnyPipelineDefinition;
  const kafkaOptions = { deliveryGuarantee } as KafkaOptions;
  const indicator = new IntakeHealthIndicator(new HealthIndicatorService(), intake, definition, {
    kafka: kafkaOptions,
  });
  return { intake, check: () => indicator.intakeOpen().intake };
}

describe('the check of the intake', () => {
  it.each([[undefined], [[rest()]], [[kafka('orders'), rest()]]])(
    'is down where REST is offered and another replica has the partitions (%j)',
    (sources) => {
      const { intake, check } = setUp(sources);
      intake.close('partitions-elsewhere', 'The partitions belong to replica-1.');
      expect(check()).toMatchObject({ status: 'down', reason: 'partitions-elsewhere' });
    },
  );

  it('does not depend on the partitions where the pipeline takes nothing by REST', () => {
    const { intake, check } = setUp([kafka('orders')]);
    intake.close('partitions-elsewhere', 'The partitions belong to replica-1.');
    expect(check()).toEqual({ status: 'up' });
    intake.close('too-slow', 'The database is slow.');
    expect(check()).toMatchObject({ status: 'down', reason: 'too-slow', reasons: ['too-slow'] });
    intake.close('database-away', 'The database is away.');
    expect(check()).toMatchObject({ status: 'down', reason: 'database-away' });
  });

  it('does not depend on them in exactly-once mode, which takes nothing by REST either (KAFKA_DELIVERY_GUARANTEE)', () => {
    const { intake, check } = setUp(undefined, 'exactly-once');
    intake.close('partitions-elsewhere', 'The partitions belong to replica-1.');
    expect(check()).toEqual({ status: 'up' });
  });

  it('is degraded while an operator has paused it, on a replica that stands by too', () => {
    const { intake, check } = setUp([kafka('orders')]);
    intake.close('partitions-elsewhere', 'The partitions belong to replica-1.');
    intake.close('paused', 'An operator has paused the pipeline.');
    expect(check()).toMatchObject({ status: 'degraded', reasons: ['paused'] });
  });
});
