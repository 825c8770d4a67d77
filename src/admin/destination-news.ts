import type {
  DestinationState,
  DestinationStatus,
  FailedAttemptEnd,
} from '../pipeline/destination/destinations.js';

/** What is new of a destination since the last look. */
export interface DestinationNews {
  readonly name: string;
  readonly kind: DestinationStatus['kind'];
  readonly state: DestinationState;
  readonly detail: string | undefined;
  readonly breaker: string;
  /** Of records, since the last look, by what followed; without those that did not occur. */
  readonly failedAttempts: Readonly<Partial<Record<FailedAttemptEnd, number>>>;
}

/** Tells what has happened to destinations between two looks: one whose state, breaker or failures have not changed is no news. */
export class DestinationLog {
  private known = new Map<string, DestinationStatus>();

  constructor(private readonly all: () => readonly DestinationStatus[]) {}

  /** Forgets what was: the next look finds news only in what comes after this one. */
  begin(): void {
    this.known = new Map(this.all().map((status) => [status.name, status]));
  }

  look(): readonly DestinationNews[] {
    const before = this.known;
    this.begin();
    return [...this.known.values()].flatMap((now) => {
      const news = newsOf(now, before.get(now.name));
      return news === undefined ? [] : [news];
    });
  }
}

function newsOf(
  now: DestinationStatus,
  before: DestinationStatus | undefined,
): DestinationNews | undefined {
  const failedAttempts = increases(now, before);
  const breaker = now.guard.breaker.state;
  const isSame = now.state === before?.state && breaker === before.guard.breaker.state;
  if (isSame && Object.keys(failedAttempts).length === 0) return undefined;
  const { name, kind, state, detail } = now;
  return { name, kind, state, detail, breaker, failedAttempts };
}

function increases(
  now: DestinationStatus,
  before: DestinationStatus | undefined,
): DestinationNews['failedAttempts'] {
  const counts = Object.entries(now.guard.failedAttempts) as [FailedAttemptEnd, number][];
  const grown = counts.map(([end, count]): [FailedAttemptEnd, number] => {
    return [end, count - (before?.guard.failedAttempts[end] ?? 0)];
  });
  return Object.fromEntries(grown.filter(([, count]) => count > 0));
}
