/** `node dist/test/bench/profile.js <file.cpuprofile> [rows]`: who used the CPU, by self time; idle time left out. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const DEFAULT_ROWS = 30;

const [file, rows = String(DEFAULT_ROWS)] = process.argv.slice(2);
if (file === undefined) throw new Error('Name a .cpuprofile file (node --cpu-prof makes one).');
print(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile, Number(rows));

function print(profile: CpuProfile, count: number): void {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const byFunction = new Map<string, number>();
  const byPlace = new Map<string, number>();
  let busyUs = 0;
  profile.samples.forEach((id, i) => {
    const frame = frames.get(id)!;
    const selfUs = profile.timeDeltas[i] ?? 0;
    if (frame.functionName === '(idle)') return;
    busyUs += selfUs;
    add(byFunction, nameOf(frame), selfUs);
    add(byPlace, placeOf(frame), selfUs);
  });
  for (const shares of [byPlace, byFunction]) {
    const top = [...shares].toSorted(([, a], [, b]) => b - a).slice(0, count);
    for (const [name, us] of top)
      console.log(`${((100 * us) / busyUs).toFixed(1).padStart(5)} %  ${name}`);
    console.log();
  }
}

function add(shares: Map<string, number>, name: string, us: number): void {
  shares.set(name, (shares.get(name) ?? 0) + us);
}

function nameOf(frame: CallFrame): string {
  const { functionName, lineNumber } = frame;
  const path = pathOf(frame);
  return path === '' ? functionName : `${functionName || '(anonymous)'}  ${path}:${lineNumber + 1}`;
}

/** The package, or our own folder. */
function placeOf(frame: CallFrame): string {
  const path = pathOf(frame);
  if (path === '') return frame.functionName.startsWith('(') ? frame.functionName : 'native code';
  if (path.startsWith('node:')) return 'node: internals';
  const inPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path);
  return inPackage?.[1] ?? path.split('/').slice(0, 3).join('/');
}

function pathOf({ url }: CallFrame): string {
  return url.startsWith('file:') ? relative(process.cwd(), fileURLToPath(url)) : url;
}
