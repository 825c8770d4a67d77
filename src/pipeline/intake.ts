import { Injectable } from '@nestjs/common';

/** Why nothing can be accepted at the moment. The first one in this list that holds is the one that callers are told. */
export const CLOSED_REASONS = [
  'stopping',
  'draining',
  'starting',
  'database-away',
  'storage-low',
  'partitions-elsewhere',
  'too-slow',
  'paused',
] as const;
export type ClosedReason = (typeof CLOSED_REASONS)[number];

export interface IntakeClosed {
  readonly reason: ClosedReason;
  /** A sentence for callers and operators. */
  readonly detail: string;
  readonly sinceMs: number;
}

/**
 * Whether records can be accepted at all. Those who know a reason close it and open it again; the Gateway and readiness
 * read it. Overload is not a reason: that is a matter of credits.
 *
 * Starts closed with `starting`, which the pipeline's lifecycle opens.
 */
@Injectable()
export class Intake {
  private readonly reasons = new Map<ClosedReason, IntakeClosed>();
  private first: IntakeClosed | undefined;

  constructor() {
    this.close('starting', 'The service is starting.');
  }

  /** The reason that counts, or undefined while records can be accepted. */
  get closed(): IntakeClosed | undefined {
    return this.first;
  }

  /** All reasons that hold, in the order of their weight. */
  all(): readonly IntakeClosed[] {
    return CLOSED_REASONS.flatMap((reason) => this.reasons.get(reason) ?? []);
  }

  /** Whether this reason holds, be it the one that counts or not. */
  isClosedBy(reason: ClosedReason): boolean {
    return this.reasons.has(reason);
  }

  /** Idempotent; a repeated reason keeps its first time and takes the new sentence. */
  close(reason: ClosedReason, detail: string): void {
    const sinceMs = this.reasons.get(reason)?.sinceMs ?? Date.now();
    this.reasons.set(reason, { reason, detail, sinceMs });
    this.first = this.all()[0];
  }

  /** Idempotent. */
  open(reason: ClosedReason): void {
    this.reasons.delete(reason);
    this.first = this.all()[0];
  }
}
