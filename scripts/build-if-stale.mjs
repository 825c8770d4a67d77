// Builds when dist/ is missing or older than a source, so that `npm start` works after a clone and after an edit.
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const SOURCES = ['src', 'libs', 'pipelines', 'migrations'];
const CONFIGURATION = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'nest-cli.json'];

function modifiedMs(file) {
  return statSync(path.join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function newestSourceMs() {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true })
      .filter((file) => !file.endsWith('.spec.ts'))
      .map((file) => path.join(folder, file)),
  );
  return Math.max(...[...files, ...CONFIGURATION].map(modifiedMs));
}

if (modifiedMs('dist/src/main.js') < newestSourceMs()) {
  const nest = path.join(root, 'node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
  const build = spawnSync(process.execPath, [nest, 'build'], { cwd: root, stdio: 'inherit' });
  process.exitCode = build.status ?? 1;
}
