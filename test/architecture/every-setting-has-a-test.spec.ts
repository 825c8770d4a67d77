import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

/** The text of all tests but this one. */
function testsIn(folder: string): string {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => join(ROOT, folder, file))
    .filter((file) => file.endsWith('.spec.ts') && file !== __filename)
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

describe('every setting (P7)', () => {
  const example = readFileSync(join(ROOT, '.env.example'), 'utf8');
  const settings = [...example.matchAll(/^# ([A-Z_]+)=/gm)].map(([, name]) => name!);
  const tests = ['src', 'libs', 'test'].map(testsIn).join('\n');

  it.each(settings)('%s is named by a test that shows what it does', (name) => {
    expect(new RegExp(`\\b${name}\\b`).test(tests)).toBe(true);
  });
});
