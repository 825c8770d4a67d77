import { Injectable } from '@nestjs/common';
import type { PipelineStatus } from '#libs/back-pressure';
import { InFlight } from '../pipeline/in-flight.js';
import { type ClosedReason, Intake } from '../pipeline/intake.js';
import { PipelineLifecycle, type PipelineState } from '../pipeline/pipeline.lifecycle.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { type Peer, Peers } from './peers.js';

/** This replica at a moment; reads memory only. */
export interface ReplicaStatus extends PipelineStatus {
  readonly instance: string;
  readonly peers: readonly Peer[];
  /** `paused` by an operator; `closed` while records can't be accepted for another reason, though the pipeline runs. */
  readonly state: PipelineState | 'closed' | 'paused';
  readonly closed: { readonly reason: ClosedReason; readonly detail: string } | null;
  /** What operators hold back: `pipeline`, `source:rest`, `sink:postgres`, … */
  readonly paused: readonly string[];
  /** Records that this process carries. */
  readonly inFlight: number;
}

@Injectable()
export class StatusReader {
  constructor(
    private readonly runtime: StageRuntime,
    private readonly lifecycle: PipelineLifecycle,
    private readonly intake: Intake,
    private readonly inFlight: InFlight,
    private readonly peers: Peers,
  ) {}

  read(): ReplicaStatus {
    const { closed } = this.intake;
    const { controller, pauses } = this.runtime;
    return {
      instance: this.peers.instance,
      peers: this.peers.others(),
      state: this.stateWith(closed?.reason),
      closed: closed === undefined ? null : { reason: closed.reason, detail: closed.detail },
      paused: pauses.all(),
      inFlight: this.inFlight.size,
      ...controller.getPipelineStatus(),
    };
  }

  private stateWith(reason: ClosedReason | undefined): ReplicaStatus['state'] {
    const { state } = this.lifecycle;
    if (state !== 'running') return state;
    if (reason !== undefined && reason !== 'paused') return 'closed';
    return this.runtime.pauses.isPipelinePaused ? 'paused' : 'running';
  }
}
