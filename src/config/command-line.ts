import { parseArgs } from 'node:util';
import type { LoadedOptions } from './load-options.js';

export type Command = 'run' | 'help' | 'version' | 'check-config';

export const HELP = `Usage: node dist/src/main.js [--check-config | --help | --version]

  (nothing)        starts the service
  --check-config   shows the settings in force and where each comes from; exits with 0, or with 1 if one is wrong
  --help           shows this text
  --version        shows the version

Settings are environment variables or lines of a file .env: see docs/settings.md.
`;

/** What the command line asks for. Throws an Error with a sentence for what it doesn't know. */
export function readCommandLine(words: readonly string[]): Command {
  const { values } = parseArgs({
    args: [...words],
    strict: true,
    options: {
      'check-config': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
    },
  });
  if (values.help === true) return 'help';
  if (values.version === true) return 'version';
  return values['check-config'] === true ? 'check-config' : 'run';
}

/** The listing of `--check-config`. */
export function settingsListing({ settings, warnings }: LoadedOptions): string {
  const nameWidth = Math.max(...settings.map(({ name }) => name.length));
  const valueWidth = Math.max(...settings.map(({ shown }) => shown.length));
  const lines = settings.map(
    ({ name, shown, source }) =>
      `${name.padEnd(nameWidth)}  ${shown.padEnd(valueWidth)}  ${source}`,
  );
  return [...lines, ...warnings.map((warning) => `warning: ${warning}`), ''].join('\n');
}
