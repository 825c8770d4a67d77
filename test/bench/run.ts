/**
 * `npm run bench [-- names…]`: runs the benches, prints their medians, writes all runs to test/bench/results/<name>.json.
 * Nothing is asserted: every figure is to be read beside the others of its table.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench, Report } from './bench.js';
import { controlBench } from './control.bench.js';
import { kafkaBench } from './kafka.bench.js';
import { describeMachine } from './machine.js';
import { restBench } from './rest.bench.js';
import { tablesOf } from './tables.js';

const BENCHES: readonly Bench[] = [controlBench, restBench, kafkaBench];
const RESULTS = join(process.cwd(), 'test', 'bench', 'results');

const names = process.argv.slice(2);
const unknown = names.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  const known = BENCHES.map((bench) => bench.name).join(', ');
  throw new Error(`There is no bench ${unknown.join(', ')} (there are: ${known}).`);
}
for (const bench of BENCHES) {
  if (names.length === 0 || names.includes(bench.name)) await runOne(bench);
}

async function runOne(bench: Bench): Promise<void> {
  const machine = describeMachine();
  const startedAt = new Date();
  const report = await bench.run((line) => console.error(`${bench.name}: ${line}`));
  console.log(`\n# ${bench.name}\n\n${tablesOf(report)}\n`);
  write(bench.name, { bench: bench.name, date: startedAt.toISOString(), machine, ...report });
}

function write(name: string, result: Report & Readonly<Record<string, unknown>>): void {
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify(result, undefined, 2)}\n`);
}
