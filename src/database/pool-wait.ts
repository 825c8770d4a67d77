import pg, { type Pool, type PoolClient, type PoolConfig } from 'pg';
import { type Clock, WindowedQuantile } from '#libs/flow-control';

const P90 = 0.9;

/**
 * How long statements wait for a connection of the pool: the 90th percentile of the last seconds, or the age of the oldest
 * wait when that is longer. Waits that never end must not read as none.
 */
export class PoolWait {
  private readonly waits: WindowedQuantile;
  /** Begin of each wait under way, the oldest first. */
  private readonly pending = new Set<{ readonly sinceMs: number }>();

  constructor(private readonly clock: Clock) {
    this.waits = new WindowedQuantile({ clock });
  }

  get p90Ms(): number {
    const [oldest] = this.pending;
    const ageMs = oldest === undefined ? 0 : this.clock.now() - oldest.sinceMs;
    return Math.max(this.waits.quantile(P90), ageMs);
  }

  /** A wait begins; the answer ends it. */
  begin(): () => void {
    const wait = { sinceMs: this.clock.now() };
    this.pending.add(wait);
    return () => {
      if (this.pending.delete(wait)) this.waits.record(this.clock.now() - wait.sinceMs);
    };
  }
}

type Connected = (
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (release?: unknown) => void,
) => void;

/** The `pg` driver with a pool that measures its waits, for TypeORM's `driver` option. */
export function measuredDriver(wait: PoolWait): {
  readonly Pool: new (config?: PoolConfig) => Pool;
} {
  class MeasuredPool extends pg.Pool {
    override connect(): Promise<PoolClient>;
    override connect(callback: Connected): void;
    override connect(callback?: Connected): Promise<PoolClient> | void {
      const end = wait.begin();
      if (callback === undefined) return super.connect().finally(end);
      super.connect((error, client, done) => {
        end();
        callback(error, client, done);
      });
    }
  }
  return { ...pg, Pool: MeasuredPool };
}
