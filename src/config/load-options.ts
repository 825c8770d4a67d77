/**
 * The only reader of the environment and of `.env`.
 *
 * C1  A variable of the process wins over `.env`, `.env` over the default; an empty one counts as not set.
 * C2  All mistakes are reported together, one sentence each: the variable, the rule, the value.
 * C3  The result is frozen to its depth; nothing is read later.
 * C4  What looks like a setting of ours and is none is a warning, never silence.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { appOptionGroups, type AppOptions } from './app-options.js';
import { brokenRules } from './cross-rules.js';
import { environmentName } from './environment-name.js';
import { type OptionsGroup, ruleOf, shownValue } from './option.js';
import { unknownSettings } from './unknown-settings.js';

/** `pipeline`: the pipeline definition has a value of its own. */
export type SettingSource = 'default' | 'environment' | '.env' | 'pipeline';

/** Injects the settings as they were loaded, for who shows them. */
export const EFFECTIVE_SETTINGS = Symbol('EFFECTIVE_SETTINGS');

/** One setting as `--check-config` shows it. */
export interface EffectiveSetting {
  readonly name: string;
  /** As text; a secret says only whether it is set. */
  readonly shown: string;
  readonly source: SettingSource;
}

export interface LoadedOptions {
  readonly options: AppOptions;
  readonly settings: readonly EffectiveSetting[];
  readonly warnings: readonly string[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Thrown when a setting breaks a rule. Nothing has been started; correct the listed settings. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';

  constructor(readonly mistakes: readonly string[]) {
    const title = mistakes.length === 1 ? 'A setting is wrong' : 'Several settings are wrong';
    super([`${title}:`, ...mistakes.map((mistake) => `  - ${mistake}`)].join('\n'));
  }
}

/** Reads, checks and freezes all settings. Throws a ConfigurationError that lists every mistake. */
export function loadOptions(
  given: { environment?: Environment; folder?: string } = {},
): LoadedOptions {
  const environment = withoutEmpty(given.environment ?? process.env);
  const file = withoutEmpty(readEnvFile(join(given.folder ?? process.cwd(), '.env')));
  const values = { ...file, ...environment };
  const mistakes: string[] = [];
  const settings: EffectiveSetting[] = [];
  const groups: Record<string, unknown> = {};
  const wrong = new Set<string>();
  for (const [name, group] of Object.entries<OptionsGroup>(appOptionGroups)) {
    const read = readGroup(group, values);
    mistakes.push(...read.mistakes);
    if (read.mistakes.length > 0) wrong.add(name);
    groups[name] = read.options;
    settings.push(...describeGroup(group, read.options, { environment, file }));
  }
  const options = deepFreeze(groups) as unknown as AppOptions;
  mistakes.push(...brokenRules(options, wrong));
  if (mistakes.length > 0) throw new ConfigurationError(mistakes);
  return { options, settings, warnings: unknownSettings(Object.keys(values), knownNames()) };
}

/** The environment names of all settings, in the order of the groups. */
export function knownNames(): string[] {
  return Object.values<OptionsGroup>(appOptionGroups).flatMap(({ prefix, schema }) =>
    Object.keys(schema.shape).map((key) => environmentName(prefix, key)),
  );
}

function readGroup(
  { prefix, schema }: OptionsGroup,
  values: Environment,
): { options: Record<string, unknown>; mistakes: string[] } {
  const given: Record<string, unknown> = {};
  for (const key of Object.keys(schema.shape)) {
    const value = values[environmentName(prefix, key)];
    if (value !== undefined) given[key] = value;
  }
  const result = schema.safeParse(given);
  if (result.success) return { options: result.data, mistakes: [] };
  const mistakes = result.error.issues.map(({ path, message }) => {
    const key = String(path[0]);
    const sentence = `${environmentName(prefix, key)} ${message}`;
    // A module's own refinement may not name the value; a secret's must not.
    const isShown = message.includes('(got ') || isSecret(schema.shape[key]);
    return isShown ? `${sentence}.` : `${sentence} (got ${shownValue(given[key])}).`;
  });
  return { options: {}, mistakes };
}

function describeGroup(
  { prefix, schema }: OptionsGroup,
  options: Record<string, unknown>,
  sources: { environment: Environment; file: Environment },
): EffectiveSetting[] {
  return Object.entries(schema.shape).map(([key, type]) => {
    const name = environmentName(prefix, key);
    const value = options[key];
    return { name, shown: shownSetting(value, isSecret(type)), source: sourceOf(name, sources) };
  });
}

function sourceOf(
  name: string,
  { environment, file }: { environment: Environment; file: Environment },
): SettingSource {
  if (environment[name] !== undefined) return 'environment';
  return file[name] === undefined ? 'default' : '.env';
}

function shownSetting(value: unknown, isRedacted: boolean): string {
  if (value === undefined) return '(not set)';
  if (isRedacted) return '(set, not shown)';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A type without a rule of ours counts as secret: nothing is shown that nobody has looked at. */
function isSecret(type: OptionsGroup['schema']['shape'][string] | undefined): boolean {
  return type === undefined || (ruleOf(type)?.kind ?? 'secret') === 'secret';
}

function readEnvFile(path: string): Environment {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return {};
    throw new ConfigurationError([`${path} can't be read: ${message}.`]);
  }
}

function withoutEmpty(values: Environment): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value.trim() !== '') kept[name] = value;
  }
  return kept;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
