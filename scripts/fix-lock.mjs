// Adds the optional platform packages that a registry does not serve to package-lock.json. Without them npm leaves
// them out of the lock and `npm ci` fails with "Missing: … from lock file". Run it after every change of dependencies.
import { readFileSync, writeFileSync } from 'node:fs';

const OS = ['darwin', 'win32', 'linux', 'android', 'freebsd', 'openharmony'];
const CPU = ['arm64', 'x64', 'ia32', 'ppc64', 's390x', 'riscv64', 'loong64', 'arm'];
const pick = (name, keys) => keys.find((key) => new RegExp(`[-/]${key}(-|$)`).test(name));
const file = process.argv[2] ?? 'package-lock.json';
const lock = JSON.parse(readFileSync(file, 'utf8'));

const isLocked = (from, name) => {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${at ? `${at}/` : ''}node_modules/${name}`]) return true;
    if (!at) return false;
  }
};

for (const [path, entry] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const [os, cpu] = [pick(name, OS), pick(name, CPU)];
    if (isLocked(path, name) || !/^\d/.test(version) || !(os ?? cpu)) continue;
    lock.packages[`node_modules/${name}`] = {
      version,
      ...(os && { os: [os] }),
      ...(cpu && { cpu: [cpu] }),
      ...(entry.dev && { dev: true }),
      optional: true,
    };
  }
}
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
