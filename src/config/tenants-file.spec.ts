import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../../test/support/service.js';
import { loadOptions } from './load-options.js';
import { readTenantsFile } from './tenants-file.js';

describe('TENANTS_FILE', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  const write = (text: string): string => {
    const path = join(folder.path, 'tenants.json');
    writeFileSync(path, text);
    return path;
  };
  const load = (path: string) =>
    loadOptions({ environment: { TENANTS_FILE: path }, folder: '/nowhere' });

  it('gives each tenant its rule; what is absent is not limited', () => {
    const rule = { ratePerSecond: 0.5, maxInFlight: 1, highestPriority: 'normal' };
    const path = write(JSON.stringify({ acme: rule, '*': {} }));
    expect([...readTenantsFile(path).rules]).toEqual([
      ['acme', rule],
      ['*', {}],
    ]);
    expect(load(path).options.service.tenantsFile).toBe(path);
  });

  it('lists every mistake at the start: the file, the tenant, the field, the rule', () => {
    const path = write(
      JSON.stringify({
        acme: { ratePerSecond: 0, maxInFlight: 1.5, highestPriority: 'urgent', weight: 2, rate: 1 },
        'a b': {},
        globex: 7,
        constructor: { toString: 1 },
      }),
    );
    const start = `TENANTS_FILE ${path}: tenant`;
    const known = '(known are ratePerSecond, maxInFlight, highestPriority)';
    const sentences = [
      `${start} "acme": ratePerSecond must be a number above 0 (got 0).`,
      `${start} "acme": maxInFlight must be a whole number of at least 1 (got 1.5).`,
      `${start} "acme": highestPriority must be one of critical, high, normal, bulk (got "urgent").`,
      `${start} "acme": weight is not possible yet, as tenants are not weighted ${known}.`,
      `${start} "acme": rate is no field of a tenant ${known}.`,
      `${start} "a b": its name must be * or 1 to 64 letters, digits, dots, underscores or hyphens, beginning with a letter or digit.`,
      `${start} "globex": must be an object (got 7).`,
      `${start} "constructor": toString is no field of a tenant ${known}.`,
    ];
    expect(() => load(path)).toThrow(sentences.map((each) => `  - ${each}`).join('\n'));
  });

  it.each([
    ['{', 'it is not JSON'],
    [undefined, 'ENOENT'],
  ])('names a file that can not be read: %s', (text, reason) => {
    const path = text === undefined ? join(folder.path, 'missing.json') : write(text);
    expect(() => load(path)).toThrow(
      `TENANTS_FILE must name a JSON file (got "${path}": ${reason}`,
    );
  });

  it('refuses a file that holds no object', () => {
    const path = write('[]');
    expect(() => load(path)).toThrow(
      `TENANTS_FILE ${path} must hold an object with one member a tenant (got []).`,
    );
  });
});
