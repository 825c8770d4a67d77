import type { Figures, Run, Section } from './bench.js';

export interface Variant {
  readonly name: string;
  readonly run: (isWarmUp: boolean) => Promise<Figures>;
}

export interface AlternateOptions {
  readonly rounds: number;
  readonly progress: (line: string) => void;
}

/** Runs A B C A B C …: what else happens on the machine meets all of them. Round 0 is the warm-up. */
export async function alternate(
  variants: readonly Variant[],
  { rounds, progress }: AlternateOptions,
): Promise<Run[]> {
  const runs: Run[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, run } of variants) {
      progress(`${round === 0 ? 'warm-up' : `round ${round}/${rounds}`}: ${name}`);
      runs.push({ variant: name, round, figures: await run(round === 0) });
    }
  }
  return runs;
}

/** A figure of one variant against another's, round by round; the median of that is less noisy than that of medians. */
export interface Comparison {
  readonly figure: string;
  readonly of: string;
  readonly to: string;
  readonly as: 'ratio' | 'difference';
}

export function section(
  title: string,
  runs: readonly Run[],
  comparisons: readonly Comparison[],
): Section {
  const counted = runs.filter(({ round }) => round > 0);
  const variants = [...new Set(counted.map(({ variant }) => variant))];
  const medians = Object.fromEntries(
    variants.map((name) => [name, mediansOf(counted.filter(({ variant }) => variant === name))]),
  );
  const compared = Object.fromEntries(
    comparisons.map((each) => [labelOf(each), median(compare(counted, each))]),
  );
  return { title, runs, medians, comparisons: compared };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
}

function mediansOf(runs: readonly Run[]): Figures {
  const names = new Set(runs.flatMap(({ figures }) => Object.keys(figures)));
  return Object.fromEntries(
    [...names].map((name) => [name, median(runs.flatMap(({ figures }) => figures[name] ?? []))]),
  );
}

function compare(runs: readonly Run[], { figure, of, to, as }: Comparison): number[] {
  const valueOf = (variant: string, round: number): number | undefined =>
    runs.find((run) => run.variant === variant && run.round === round)?.figures[figure];
  return runs
    .filter(({ variant }) => variant === of)
    .flatMap(({ round }) => {
      const [mine, other] = [valueOf(of, round), valueOf(to, round)];
      if (mine === undefined || other === undefined) return [];
      return [as === 'ratio' ? mine / other : mine - other];
    });
}

function labelOf({ figure, of, to, as }: Comparison): string {
  return as === 'ratio' ? `${figure}: ${of} / ${to}` : `${figure}: ${of} − ${to}`;
}
