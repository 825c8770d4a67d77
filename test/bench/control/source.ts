import type { BackPressureController, StageMeter } from '#libs/back-pressure';
import { type BoundedSemaphore, TokenBucket } from '#libs/flow-control';
import { GATEWAY_PERMITS } from '../../../src/gateway/gateway.stage.js';
import type { Origin } from '../../../src/pipeline/record.js';
import type { Stage } from '../../../src/pipeline/stage.js';
import type { Driven } from './drive.js';
import { clock } from './pipeline.js';
import { RecordSource } from './records.js';

/** Far above what can be sent, so that the bucket counts and never refuses. */
const RATE_PER_SECOND = 100_000_000;
const ADMIT_WITHIN_MS = 1000;

/** What bounds a request beside its credits. */
interface Limits {
  readonly rate: TokenBucket;
  readonly permits: BoundedSemaphore;
}

/** The Gateway's part in front of its stage, without HTTP: rate, permit, admission, records, latency. */
export class Source implements Driven {
  left = 0;
  private readonly records = new RecordSource();
  private readonly origin: Origin = {
    settled: (records) => {
      this.left += records.length;
    },
  };
  private readonly meter: StageMeter;
  private readonly limits: Limits | undefined;

  constructor(
    private readonly controller: BackPressureController,
    private readonly gateway: Stage,
    isLimited: boolean,
  ) {
    this.meter = controller.meter('Gateway');
    if (!isLimited) return;
    const rate = new TokenBucket({ ratePerSecond: RATE_PER_SECOND, clock });
    this.limits = { rate, permits: controller.semaphore(GATEWAY_PERMITS) };
  }

  async send(count: number): Promise<void> {
    const { controller, limits, records } = this;
    const sinceMs = clock.now();
    limits?.rate.tryTake(count);
    const permit = limits?.permits.tryAcquire();
    for (let rest = count; rest > 0;) {
      const admission =
        controller.tryAdmit(rest, records.sizeBytes) ??
        (await controller.admit(rest, { sizes: records.sizeBytes, timeoutMs: ADMIT_WITHIN_MS }));
      rest -= admission.count;
      const slice = {
        records: records.next(admission.count, admission.pipeline, this.origin),
        admitByMs: clock.now() + ADMIT_WITHIN_MS,
      };
      await this.gateway.take(slice, admission.gateway);
      if (slice.records.some(({ verdict }) => verdict?.kind !== 'accepted')) {
        throw new Error('A record was not accepted: the bench sends more than the credits allow.');
      }
      this.meter.completed(admission.count, clock.now() - sinceMs);
    }
    permit?.release();
  }
}
