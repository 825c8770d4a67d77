import { Injectable } from '@nestjs/common';
import { BackPressureController } from '#libs/back-pressure';
import { Database } from '../database/database.js';
import { Journal, type JournalSnapshot } from '../ledger/journal.port.js';
import { CopiedMetric, histogramSamples, type Sample } from './copied-metric.js';
import { poolLevels } from './database-pool.js';
import { LabelCounter } from './label-counter.js';
import { METRICS } from './metric-definitions.js';
import { RecordCounters } from './record-counters.js';
import { RequestMetrics } from './request-metrics.js';
import {
  bottleneckSamples,
  dimensionSamples,
  inServiceSamples,
  only,
  perPool,
  perStage,
  shareSamples,
  unlabelled,
} from './stage-samples.js';

type Readers = Readonly<Record<keyof typeof METRICS, () => Iterable<Sample>>>;

/** The Gateway's permits, as the back-pressure controller knows them. */
const PERMITS = { semaphore: 'gateway', stage: 'Gateway' } as const;
const MS_PER_SECOND = 1000;

/** Says where the value of each metric comes from. They are read at a scrape only. */
@Injectable()
export class PipelineMetrics {
  private readonly triggers = new LabelCounter();

  constructor(
    private readonly controller: BackPressureController,
    private readonly journal: Journal,
    private readonly database: Database,
    private readonly records: RecordCounters,
    private readonly requests: RequestMetrics,
  ) {
    controller.events.on('trigger', ({ stage, signal }) => this.triggers.add({ stage, signal }));
    controller.events.on('recordRefused', (refusal) => this.requests.refused.add({ ...refusal }));
    const readers: Readers = {
      ...this.pressureReaders(),
      ...this.creditReaders(),
      ...this.permitReaders(),
      ...this.recordReaders(),
      ...this.databaseReaders(),
    };
    for (const [name, definition] of Object.entries(METRICS)) {
      new CopiedMetric(definition, readers[name as keyof typeof METRICS]);
    }
  }

  private pressureReaders() {
    const status = () => this.controller.getPipelineStatus();
    return {
      pressure: () => perStage(status(), ({ pressure }) => pressure),
      effectivePressure: () => perStage(status(), ({ effectivePressure }) => effectivePressure),
      overallPressure: () => only(status().pressure),
      dimension: () => dimensionSamples(status()),
      throttled: () => perStage(status(), ({ throttled }) => Number(throttled)),
      latency: () =>
        perStage(status(), ({ processingLatencyMs }) => processingLatencyMs / MS_PER_SECOND),
      bottleneck: () => bottleneckSamples(status()),
      stageShare: () => shareSamples(status()),
      triggers: () => this.triggers.samples(),
    };
  }

  private creditReaders() {
    const { controller } = this;
    return {
      creditsCapacity: () => perPool(controller, ({ capacity }) => capacity),
      creditsAvailable: () => perPool(controller, ({ available }) => available),
      creditsLimit: () => perPool(controller, ({ limit }) => limit),
      creditsGranted: () => perPool(controller, ({ granted }) => granted),
      creditsSpent: () => perPool(controller, ({ returned }) => returned),
      creditsSurplus: () => perPool(controller, ({ surplus }) => surplus),
      creditsBytes: () => perPool(controller, ({ bytes }) => bytes.outstanding),
      creditsWaiting: () => perPool(controller, ({ waiting }) => waiting),
      oldest: () => perPool(controller, ({ oldestMs }) => oldestMs / MS_PER_SECOND),
    };
  }

  private permitReaders() {
    const { controller } = this;
    const { semaphore, stage } = PERMITS;
    const permits = () => controller.semaphore(semaphore).snapshot();
    const sample = (value: number): Sample[] => [{ labels: { stage }, value }];
    const status = () => controller.getPipelineStatus();
    return {
      permitsInUse: () => [
        ...sample(permits().inUse),
        ...inServiceSamples(status(), 'AsyncEgress', ({ running }) => running),
      ],
      permitsCapacity: () => [
        ...sample(permits().capacity),
        ...inServiceSamples(status(), 'AsyncEgress', ({ limit }) => limit),
      ],
      permitsQueued: () => sample(permits().queued),
      permitsRejected: () => sample(permits().rejected),
      permitWait: () =>
        histogramSamples(METRICS.permitWait.name, controller.permitWaits(semaphore), { stage }),
      pendingAcknowledgments: () =>
        unlabelled(inServiceSamples(status(), 'FinalSink', ({ running }) => running)),
      pendingCapacity: () =>
        unlabelled(inServiceSamples(status(), 'FinalSink', ({ limit }) => limit)),
      requestSeconds: () => this.requests.samples(METRICS.requestSeconds.name),
      refusals: () => this.requests.refused.samples(),
    };
  }

  private recordReaders() {
    const { records } = this;
    return {
      recordsIn: () => only(this.journal.snapshot().flushedRecords),
      recordsReplayed: () => only(this.journal.snapshot().replayedRecords),
      recordsResumed: () => only(records.resumed),
      recordsOut: () => records.ended.samples(),
      recordsInFlight: () => only(records.inFlightNow),
      recordSeconds: () => histogramSamples(METRICS.recordSeconds.name, records.seconds),
    };
  }

  private databaseReaders() {
    const journal = (value: (level: JournalSnapshot) => number) => () =>
      only(value(this.journal.snapshot()));
    const pool = () => poolLevels(this.database.dataSource);
    return {
      journalRecords: journal(({ records }) => records),
      journalBytes: journal(({ bytes }) => bytes),
      journalWaiting: journal(({ waiting }) => waiting),
      journalBacklog: journal(({ backlog }) => backlog),
      journalFlushes: journal(({ flushes }) => flushes),
      poolConnections: () => [
        { labels: { state: 'idle' }, value: pool().idle },
        { labels: { state: 'in-use' }, value: pool().inUse },
      ],
      poolWaiting: () => only(pool().waiting),
      databaseReady: () => only(Number(this.database.state === 'ready')),
    };
  }
}
