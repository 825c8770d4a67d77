import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The flags of Node that `npm start` has. */
export function startFlags(): string[] {
  const text = readFileSync(join(process.cwd(), 'package.json'), 'utf8');
  const { scripts } = JSON.parse(text) as { scripts: { start: string } };
  return scripts.start.split(' ').filter((word) => word.startsWith('--'));
}
