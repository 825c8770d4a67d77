/** Figures of one run, by name with the unit in it. */
export type Figures = Readonly<Record<string, number>>;

/** One variant of one round. */
export interface Run {
  readonly variant: string;
  /** 0 is the warm-up, which counts nowhere. */
  readonly round: number;
  readonly figures: Figures;
}

/** Variants that were measured side by side. */
export interface Section {
  readonly title: string;
  readonly runs: readonly Run[];
  /** By variant. */
  readonly medians: Readonly<Record<string, Figures>>;
  /** Medians over the rounds of a figure of one variant against another's in the same round. */
  readonly comparisons: Figures;
}

export interface Report {
  readonly sections: readonly Section[];
  /** What the figures depend on: durations, connections, the database's settings. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface Bench {
  readonly name: string;
  run(progress: (line: string) => void): Promise<Report>;
}
