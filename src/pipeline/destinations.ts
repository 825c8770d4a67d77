import { Injectable } from '@nestjs/common';
import type { KafkaSinkSnapshot } from '#libs/kafka';

/**
 * - `connecting`: nothing is known yet.
 * - `away`: nobody answers, or nearly nobody; records wait.
 * - `failed`: an operator has to change something; records wait.
 */
export type DestinationState = 'connecting' | 'ready' | 'away' | 'failed' | 'stopped';

/** What observers may know of a destination. */
export interface DestinationStatus {
  /** As the books name it. */
  readonly name: string;
  readonly topic: string;
  readonly state: DestinationState;
  /** Why it is not ready, as a sentence. */
  readonly detail: string | undefined;
  readonly producer: KafkaSinkSnapshot;
}

/** Where a sink shows its state to health checks and metrics, which never see a stage's inside. */
@Injectable()
export class Destinations {
  private readonly readers: (() => DestinationStatus)[] = [];

  add(read: () => DestinationStatus): void {
    this.readers.push(read);
  }

  all(): DestinationStatus[] {
    return this.readers.map((read) => read());
  }
}
