/**
 * The life of the pipeline as a whole.
 *
 * starting → running → announcing → draining → stopped
 *
 * L1  Start: the ledger, then the stages, sink first, then intake opens; what an earlier run left is in line by then.
 *     Sources that fetch by themselves (Kafka) come last.
 * L2  Stop: announced (not ready, still accepting), then intake closes and the sources drain, then the stages drain
 *     Gateway first, then stop. The sources stop when no end can come any more, and the ledger last.
 *     All of it ends by SHUTDOWN_TIMEOUT_MS; what could not move is in the journal, or left to its source.
 * L3  The start runs in the background: a database that is away delays it and does not end it.
 */
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { sleep } from '#libs/flow-control';
import { SERVICE_OPTIONS, type ServiceOptions } from '../config/service.options.js';
import type { Ledger } from '../ledger/ledger.js';
import { InFlight } from './in-flight.js';
import { Intake } from './intake.js';
import type { Settlement } from './settlement.js';
import { StageRuntime } from './stage-runtime.js';
import type { Stage } from './stage.js';

/** Brings records without being asked. */
export interface PipelineSource {
  /** Whether what it brought and could not end is left to it; else the books have it. */
  readonly keepsRecords: boolean;
  /** Called once, when the stages take records. Returns at once. */
  start(): void;
  /** Brings nothing more, and waits for the ends of what it brought, but only while they come. A moment of the monotonic clock. */
  drain(deadlineMs: number): Promise<void>;
  /** Keeps what has ended and lets go. Idempotent. */
  stop(): Promise<void>;
}

/** What the lifecycle starts and stops. Made by the pipeline's module, which knows the order. */
export class PipelineParts {
  constructor(
    /** Upstream to downstream. */
    readonly stages: readonly Stage[],
    readonly ledger: Pick<Ledger, 'start' | 'stop'>,
    readonly settlement: Pick<Settlement, 'stop'>,
    readonly sources: readonly PipelineSource[],
  ) {}
}

export type PipelineState = 'starting' | 'running' | 'announcing' | 'draining' | 'stopped';

@Injectable()
export class PipelineLifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private current: PipelineState = 'starting';
  private starting: Promise<void> | undefined;
  private readonly fatalListeners: ((error: Error) => void)[] = [];
  private stopping: Promise<void> | undefined;
  private readonly log = new Logger('Pipeline');

  constructor(
    private readonly parts: PipelineParts,
    private readonly runtime: StageRuntime,
    private readonly intake: Intake,
    private readonly inFlight: InFlight,
    @Inject(SERVICE_OPTIONS) private readonly options: ServiceOptions,
  ) {}

  get state(): PipelineState {
    return this.current;
  }

  /** Resolves when intake is open, or the stop came first. Rejects when a stage can't start at all. */
  whenStarted(): Promise<void> {
    return this.starting ?? Promise.resolve();
  }

  onApplicationBootstrap(): void {
    this.starting = this.start();
    // Whoever asks by `whenStarted` gets the rejection; nobody asking must not end the process on its own.
    this.starting.catch(() => undefined);
  }

  /** Idempotent. */
  beforeApplicationShutdown(): Promise<void> {
    this.stopping ??= this.stop();
    return this.stopping;
  }

  /** Tells of what ends the process after its start: another one has taken its place. */
  onFatal(listener: (error: Error) => void): void {
    this.fatalListeners.push(listener);
  }

  private async start(): Promise<void> {
    const { stages, ledger } = this.parts;
    this.runtime.controller.start();
    stages.forEach((stage, i) => {
      const next = stages[i + 1];
      if (next !== undefined) stage.connect(next);
    });
    try {
      await ledger.start((error) => {
        for (const listener of this.fatalListeners) listener(error);
      });
      for (const stage of stages.toReversed()) await stage.start();
    } catch (error) {
      // Stopped while it started: what was to come did not.
      if (this.hasEnded) return;
      throw error;
    }
    if (this.hasEnded) return;
    this.current = 'running';
    this.intake.open('starting');
    for (const source of this.parts.sources) source.start();
  }

  private async stop(): Promise<void> {
    const { clock } = this.runtime;
    const { shutdownAnnounceMs, shutdownTimeoutMs } = this.options;
    const deadlineMs = clock.now() + shutdownTimeoutMs;
    if (shutdownAnnounceMs > 0) {
      this.current = 'announcing';
      this.log.log(`Stopping in ${shutdownAnnounceMs} ms; not ready from now on.`);
      await sleep(clock, shutdownAnnounceMs);
    }
    this.current = 'draining';
    this.intake.close(
      'draining',
      'The service is stopping; another replica may accept the record.',
    );
    this.log.log(`Draining ${this.inFlight.size} records.`);
    const { stages, ledger, settlement, sources } = this.parts;
    for (const part of [...sources, ...stages]) await this.drain(part, deadlineMs);
    const left = this.inFlight.size;
    settlement.stop();
    for (const part of [...stages, ...sources]) await part.stop();
    await ledger.stop();
    this.runtime.controller.stop();
    this.intake.close('stopping', 'The service has stopped.');
    this.current = 'stopped';
    const isLeftToSource = sources.some(({ keepsRecords }) => keepsRecords);
    const keeper = isLeftToSource ? 'the journal or their source' : 'the journal';
    this.log.log(left === 0 ? 'Drained.' : `${left} records are left to ${keeper}.`);
  }

  private get hasEnded(): boolean {
    return this.current !== 'starting';
  }

  /** Each keeps the deadline itself; one that does not must not hold the others. */
  private async drain(part: Stage | PipelineSource, deadlineMs: number): Promise<void> {
    const { clock } = this.runtime;
    const late = sleep(clock, Math.max(0, deadlineMs - clock.now()));
    await Promise.race([part.drain(deadlineMs), late]);
  }
}
