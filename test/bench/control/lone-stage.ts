import type { BackPressureController } from '#libs/back-pressure';
import type { Lot } from '#libs/flow-control';
import type { InFlight } from '../../../src/pipeline/in-flight.js';
import type { Origin, Verdict } from '../../../src/pipeline/record.js';
import type { Slice, Stage, StageId } from '../../../src/pipeline/stage.js';
import type { Driven } from './drive.js';
import { RecordSource } from './records.js';

const ADMIT_WITHIN_MS = 1000;
/** KeyGen counts an accepted record until its end, which no one here decides; a refused one it forgets by itself. */
const REFUSED: Verdict = { kind: 'refused', error: new Error('The bench ends here.') };

/** A pipeline credit that nobody counts. */
const NO_CREDIT: Lot = {
  pool: 'none',
  count: 0,
  bytes: 0,
  grantedAtMs: 0,
  release: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/** Stands behind the measured stage: everything ends here, and its credits go back at once. */
export class End implements Stage {
  taken = 0;

  constructor(
    readonly id: StageId,
    private readonly inFlight: InFlight,
  ) {}

  take({ records }: Slice, lot: Lot): void {
    this.taken += records.length;
    for (const record of records) record.verdict ??= REFUSED;
    this.inFlight.settle(records);
    lot.release();
  }

  connect(): void {}
  start(): void {}
  drain(): void {}
  stop(): void {}
}

/** One stage alone: what it costs itself, with its own credits, those of the next stage and its meter. */
export class LoneStage implements Driven {
  private readonly records = new RecordSource();
  private settled = 0;
  private readonly origin: Origin = {
    settled: (records) => {
      this.settled += records.length;
    },
  };

  constructor(
    private readonly controller: BackPressureController,
    private readonly stage: Stage,
    private readonly end: End,
  ) {
    stage.connect(end);
  }

  get left(): number {
    return this.end.taken + this.settled;
  }

  async send(count: number): Promise<void> {
    const { controller, stage, records } = this;
    for (let rest = count; rest > 0;) {
      const lot =
        controller.requestCredits(stage.id, rest, records.sizeBytes) ??
        (await controller.acquireCredits(stage.id, rest, { sizes: records.sizeBytes }));
      rest -= lot.count;
      const slice = records.next(lot.count, NO_CREDIT, this.origin);
      const admitByMs = performance.now() + ADMIT_WITHIN_MS;
      await stage.take({ records: slice, admitByMs }, lot);
    }
  }
}
