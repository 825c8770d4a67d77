import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { loadOptions } from './load-options.js';
import { envExample, settingsDocument } from './settings-document.js';

const root = join(__dirname, '..', '..');

describe('the documents of the settings', () => {
  it('docs/settings.md says what the schemas say; node scripts/generate-docs.mjs writes it', () => {
    expect(readFileSync(join(root, 'docs', 'settings.md'), 'utf8')).toBe(settingsDocument());
  });

  it('.env.example says what the schemas say; node scripts/generate-docs.mjs writes it', () => {
    expect(readFileSync(join(root, '.env.example'), 'utf8')).toBe(envExample());
  });

  it('.env.example with every comment sign removed is the defaults', () => {
    const lines = envExample()
      .split('\n')
      .filter((line) => /^# [A-Z_]+=/.test(line))
      .map((line) => line.slice(2));
    const environment = parseEnv(lines.join('\n'));
    const { options } = loadOptions({ environment, folder: '/nowhere' });
    expect(options).toEqual(loadOptions({ environment: {}, folder: '/nowhere' }).options);
    expect(lines.length).toBeGreaterThan(20);
  });
});
