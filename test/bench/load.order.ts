/** What the load generator is to do. */
export interface LoadOrder {
  readonly url: string;
  readonly path: string;
  readonly contentType: string;
  /** Sent in turn. */
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly durationMs: number;
}

export interface LoadResult {
  /** Until the last answer. */
  readonly elapsedMs: number;
  readonly requests: number;
  /** Records that were answered 202. */
  readonly accepted: number;
  /** Records that were refused in an answer 202 to a batch. */
  readonly refused: number;
  /** Answers by status, or by the code of the error. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU that the generator itself used: near the elapsed time it is what limits. */
  readonly cpuMs: number;
}
