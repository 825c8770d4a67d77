import { Inject, Injectable, Optional } from '@nestjs/common';
import { BackPressureController } from '#libs/back-pressure';
import { KafkaSource } from '#libs/kafka';

/**
 * Makes what the Kafka source has fetched, and has no credit for yet, part of the memory pressure: it lies in memory beside
 * what the credits stand for, and counts against the same budget.
 */
@Injectable()
export class MemoryInputs {
  constructor(
    controller: BackPressureController,
    @Optional() @Inject(KafkaSource) source: KafkaSource | undefined,
  ) {
    if (source === undefined) return;
    controller.setProcessInput('memory', 'kafka fetched', () => {
      const { outstanding, capacity } = controller.credits('pipeline').bytes;
      return (outstanding + source.snapshot().waitingBytes) / capacity;
    });
  }
}
