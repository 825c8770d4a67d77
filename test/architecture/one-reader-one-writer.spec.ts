import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');

/** Tables, and the folder that alone writes them. */
const WRITERS: Readonly<Record<string, string>> = {
  journal: 'src/ledger/',
  handover: 'src/ledger/',
  acknowledgment: 'src/ledger/',
  acknowledgment_position: 'src/ledger/',
  acknowledgment_range: 'src/ledger/',
  kafka_source: 'src/ledger/',
  kafka_watermark: 'src/ledger/',
  partition_lease: 'src/ledger/',
  idempotency_key: 'src/ledger/',
  total: 'src/ledger/',
  dead_letter: 'src/dead-letters/',
  redrive_job: 'src/dead-letters/',
  setting: 'src/admin/',
};

const product = ['src', 'libs', 'pipelines'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .map((file) => `${folder}/${file.replaceAll('\\', '/')}`),
);
const filesWith = (pattern: RegExp): string[] =>
  product.filter((file) => pattern.test(readFileSync(join(ROOT, file), 'utf8')));

describe('the product', () => {
  it('reads the environment in one file', () => {
    expect(filesWith(/process\.env/)).toEqual(['src/config/load-options.ts']);
  });

  it.each(Object.entries(WRITERS))('writes the table %s in %s only', (table, folder) => {
    const writes = new RegExp(`(INSERT INTO|UPDATE|DELETE FROM) ${table}\\b`);
    expect(filesWith(writes).filter((file) => !file.startsWith(folder))).toEqual([]);
  });

  it('would see a second writer', () => {
    expect(filesWith(/INSERT INTO journal\b/)).not.toEqual([]);
  });
});
