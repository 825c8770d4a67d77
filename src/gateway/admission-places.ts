import type { Admission, BackPressureController } from '#libs/back-pressure';
import { type Clock, sleep } from '#libs/flow-control';

/** The line is full, or closed: its state is looked at again after so long. */
const TRY_AGAIN_MS = 20;

export interface PlaceRequest {
  readonly count: number;
  readonly sizes: ArrayLike<number>;
  /** Aborted when nobody will ask again. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

/** A place in the line for admission. `admit` may grant between two questions: then it is kept for the next one. */
interface Place {
  /** Settles when it was granted or refused. */
  readonly decided: Promise<void>;
  /** Ends it: the signal is not listened to any more. */
  readonly end: () => void;
  state: 'waiting' | 'refused' | Admission;
}

/**
 * Places in the line for admission, one a lane, that outlast a wait.
 *
 * AP1 a lane has one place at most; it keeps it until it is granted, or its signal is aborted.
 * AP2 what is granted is claimed once, or given back.
 */
export class AdmissionPlaces {
  private readonly places = new Map<number, Place>();

  constructor(
    private readonly controller: BackPressureController,
    private readonly clock: Clock,
  ) {}

  has(lane: number): boolean {
    return this.places.has(lane);
  }

  /** What the lane's place was granted since it was asked last; at most `count`. */
  claim(lane: number, count: number): Admission | undefined {
    const place = this.places.get(lane);
    if (typeof place?.state !== 'object') return undefined;
    const { state } = place;
    place.end();
    if (state.count <= count) return state;
    state.release();
    return undefined;
  }

  /** Waits for admission, at most `timeoutMs`; undefined: not yet. */
  async wait(lane: number, request: PlaceRequest): Promise<Admission | undefined> {
    const { count, signal, timeoutMs } = request;
    const endMs = this.clock.now() + timeoutMs;
    for (;;) {
      const leftMs = endMs - this.clock.now();
      if (leftMs <= 0 || signal.aborted) return undefined;
      const place = this.places.get(lane) ?? this.stand(lane, request);
      await this.atMost(leftMs, place.decided);
      const admission = this.claim(lane, count);
      if (admission !== undefined) return admission;
      if (place.state !== 'refused') continue;
      place.end();
      await sleep(this.clock, Math.min(TRY_AGAIN_MS, Math.max(0, endMs - this.clock.now())));
    }
  }

  private stand(lane: number, { count, sizes, signal }: PlaceRequest): Place {
    const admission = this.controller.admit(count, { sizes, signal, timeoutMs: Infinity });
    const end = (): void => {
      signal.removeEventListener('abort', leave);
      if (this.places.get(lane) === place) this.places.delete(lane);
    };
    const leave = (): void => {
      end();
      if (typeof place.state === 'object') place.state.release();
    };
    const place: Place = {
      state: 'waiting',
      end,
      decided: admission.then(
        (granted) => {
          if (signal.aborted) granted.release();
          else place.state = granted;
        },
        // Full, closed, or nobody asks any more: whichever it is, the source holds the records.
        () => {
          place.state = 'refused';
        },
      ),
    };
    this.places.set(lane, place);
    signal.addEventListener('abort', leave, { once: true });
    return place;
  }

  private atMost(ms: number, promise: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.setTimer(ms, resolve);
      void promise.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}
