import type { Report, Section } from './bench.js';

/** The medians and comparisons of a report, for people. */
export function tablesOf({ sections }: Report): string {
  return sections.map(tableOf).join('\n\n');
}

function tableOf({ title, medians, comparisons }: Section): string {
  const variants = Object.entries(medians);
  const figures = [...new Set(variants.flatMap(([, values]) => Object.keys(values)))];
  const rows = variants.map(([name, values]) => [name, ...figures.map((f) => shown(values[f]))]);
  const lines = columns([['median', ...figures], ...rows]);
  const compared = columns(
    Object.entries(comparisons).map(([name, value]) => [name, shown(value)]),
  );
  return [title, ...lines, ...compared].join('\n');
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  '),
  );
}

/** Three significant digits, or the whole number. */
function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
