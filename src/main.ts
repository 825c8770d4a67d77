/**
 * The entry: command line and settings first, since most mistakes are there; then the service.
 *
 * The process ends in one of three ways: 0 after a drain, 1 with one message for what makes it impossible, or at once by
 * a second signal.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HELP, readCommandLine, settingsListing } from './config/command-line.js';
import { loadOptions } from './config/load-options.js';
import { isExplained } from './explained-error.js';

/** `dist`, and the project's folder around it. */
const BUILD = join(import.meta.dirname, '..');
const PROJECT = join(BUILD, '..');

async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2));
  if (command === 'help') print(HELP);
  else if (command === 'version') print(`${readVersion()}\n`);
  else if (command === 'check-config') {
    const loaded = loadOptions();
    const { checkConfig } = await import('./check-config.js');
    print(settingsListing(await checkConfig(loaded, { build: BUILD, working: process.cwd() })));
  } else {
    const loaded = loadOptions();
    // Loaded only now: the framework takes a second, and a wrong setting should not.
    const { serve } = await import('./serve.js');
    await serve(loaded, { version: readVersion(), build: BUILD });
  }
}

function readVersion(): string {
  const text = readFileSync(join(PROJECT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function print(text: string): void {
  process.stdout.write(text);
}

/** One message on stderr; a stack only for what nobody has foreseen. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return isExplained(error) ? error.message : (error.stack ?? error.message);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}
