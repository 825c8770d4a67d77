import {
  type Admission,
  BackPressureController,
  type BackPressureOptions,
  type StageMeter,
} from '#libs/back-pressure';
import type { Lot, Sizes } from '#libs/flow-control';

const NO_METER: StageMeter = {
  queue: () => undefined,
  queueCapacity: () => undefined,
  inService: () => undefined,
  completed: () => undefined,
  failed: () => undefined,
  blocked: () => undefined,
};

/** A lot without a pool: nothing is counted when it is given or given back. */
class OpenLot implements Lot {
  readonly pool = 'open';
  readonly bytes = 0;
  readonly grantedAtMs = 0;

  constructor(readonly count: number) {}

  release(): void {}

  [Symbol.dispose](): void {}
}

class OpenAdmission implements Admission {
  readonly gateway: Lot;
  readonly pipeline: Lot;

  constructor(readonly count: number) {
    this.gateway = new OpenLot(count);
    this.pipeline = new OpenLot(count);
  }

  release(): void {}
}

/** Control switched off: grants everything, keeps no books, measures nothing, never reacts. */
export class OpenController extends BackPressureController {
  constructor(options: BackPressureOptions) {
    super(options);
  }

  override requestCredits(_stage: string, count: number): Lot {
    return new OpenLot(count);
  }

  override acquireCredits(_stage: string, count: number): Promise<Lot> {
    return Promise.resolve(new OpenLot(count));
  }

  override tryAdmit(count: number, _sizes?: Sizes): Admission {
    return new OpenAdmission(count);
  }

  override admit(count: number): Promise<Admission> {
    return Promise.resolve(new OpenAdmission(count));
  }

  override meter(): StageMeter {
    return NO_METER;
  }

  override resizeStage(): void {}

  override stalled(): void {}

  override start(): void {}
}
