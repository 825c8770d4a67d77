/**
 * The building blocks of every module's options: a value's rule, its default and its one-line
 * documentation stand together, and a broken rule is one sentence that ends with the value.
 *
 * O1  Each builder takes the native value and the text an environment variable holds.
 * O2  A message is a predicate: the loader puts the variable's name before it
 *     (`INGRESS_BUFFER_SIZE` + `must be a whole number of at least 1 (got "8x")`).
 * O3  The value of a secret is in no message.
 */
import { z } from 'zod';

/** What a setting's rule says, for messages, docs/settings.md and `--check-config`. */
export interface OptionRule {
  readonly kind: 'whole number' | 'ratio' | 'flag' | 'text' | 'list' | 'choice' | 'secret';
  /** Reads after "must be". */
  readonly rule: string;
}

/** A zod type that takes a native value or its text and gives a `T`. */
export type OptionType<T> = z.ZodPipe<z.ZodUnknown, z.ZodTransform<T, unknown>>;

export interface OptionsGroup<Shape extends z.ZodRawShape = z.ZodRawShape> {
  /** The environment name of a key is PREFIX_ + the key in upper snake case; '' for no prefix. */
  readonly prefix: string;
  readonly schema: z.ZodObject<Shape>;
}

export type OptionsOf<Group extends OptionsGroup> = Readonly<z.output<Group['schema']>>;

/** By the transform inside a type: that one stays the same through `.refine()`, `.default()` and `.describe()`. */
const rules = new WeakMap<object, OptionRule>();

const WHOLE_NUMBER = /^[+-]?\d+$/;
const DECIMAL_NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)$/;
const LONGEST_SHOWN_VALUE = 80;

const TRUE_WORDS: ReadonlySet<unknown> = new Set([true, 'true', '1', 'yes', 'on']);
const FALSE_WORDS: ReadonlySet<unknown> = new Set([false, 'false', '0', 'no', 'off']);

/** Groups a module's settings under the prefix of their environment variables. */
export function options<const Shape extends z.ZodRawShape>(
  prefix: string,
  shape: Shape,
): OptionsGroup<Shape> {
  return { prefix, schema: z.object(shape) };
}

/** A whole number from `min` to `max`. */
export function wholeNumber(range: { min: number; max?: number }): OptionType<number> {
  const { min, max = Number.MAX_SAFE_INTEGER } = range;
  const bounds = range.max === undefined ? `of at least ${min}` : `between ${min} and ${range.max}`;
  return option({ kind: 'whole number', rule: `a whole number ${bounds}` }, (given) => {
    const value = numberIn(given, WHOLE_NUMBER);
    return Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined;
  });
}

/** A share of a whole, 0 to 1. */
export function ratio(): OptionType<number> {
  return option({ kind: 'ratio', rule: 'a ratio between 0 and 1' }, (given) => {
    const value = numberIn(given, DECIMAL_NUMBER);
    return value >= 0 && value <= 1 ? value : undefined;
  });
}

/** true or false; the environment may also say 1, yes, on, 0, no, off. */
export function flag(): OptionType<boolean> {
  return option({ kind: 'flag', rule: 'true or false' }, (given) => {
    const word = typeof given === 'string' ? given.trim().toLowerCase() : given;
    if (TRUE_WORDS.has(word)) return true;
    return FALSE_WORDS.has(word) ? false : undefined;
  });
}

/** Text that is not empty. With `pattern`, `rule` says in words what the pattern asks for. */
export function text(shape?: { pattern: RegExp; rule: string }): OptionType<string> {
  return option({ kind: 'text', rule: shape?.rule ?? 'text that is not empty' }, (given) => {
    if (typeof given !== 'string') return undefined;
    const value = given.trim();
    return value !== '' && (shape?.pattern.test(value) ?? true) ? value : undefined;
  });
}

/** A comma list of at least one item, each only once. `rule` says in words what `item` asks for. */
export function list(shape: { item: RegExp; rule: string }): OptionType<readonly string[]> {
  return option({ kind: 'list', rule: `a comma list of ${shape.rule}` }, (given) => {
    const parts: readonly unknown[] = typeof given === 'string' ? given.split(',') : asArray(given);
    const items = parts.map((part) => (typeof part === 'string' ? part.trim() : ''));
    const isRight = items.length > 0 && items.every((item) => shape.item.test(item));
    return isRight && new Set(items).size === items.length ? Object.freeze(items) : undefined;
  });
}

/** A comma list of at least one of the words, each only once. */
export function choices<const Word extends string>(
  words: readonly Word[],
): OptionType<readonly Word[]> {
  const { length } = words;
  const item = new RegExp(`^(?:${words.join('|')})$`);
  const type = list({
    item,
    rule: `${words.slice(0, length - 1).join(', ')} and ${words[length - 1]}`,
  });
  return type as unknown as OptionType<readonly Word[]>;
}

/** One of the listed words. */
export function choice<const Word extends string>(words: readonly Word[]): OptionType<Word> {
  const rule = `one of ${words.join(', ')}`;
  return option({ kind: 'choice', rule }, (given) =>
    words.find((word) => typeof given === 'string' && word === given.trim()),
  );
}

/** Text that no message, log line or listing may show. */
export function secret(): OptionType<string> {
  return option({ kind: 'secret', rule: 'text that is not empty' }, (given) =>
    typeof given === 'string' && given !== '' ? given : undefined,
  );
}

/** The rule behind a setting's type, through `.default()`, `.optional()`, `.refine()` and `.describe()`. */
export function ruleOf(type: z.core.$ZodType): OptionRule | undefined {
  const { def } = type._zod;
  if ('innerType' in def) return ruleOf(def.innerType as z.core.$ZodType);
  if (!('in' in def && 'out' in def)) return undefined;
  return rules.get(def.out as object) ?? ruleOf(def.in as z.core.$ZodType);
}

/** A value as messages show it: quoted, cut after 80 characters. */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  const shown = JSON.stringify(value) ?? typeof value;
  return shown.length > LONGEST_SHOWN_VALUE ? `${shown.slice(0, LONGEST_SHOWN_VALUE)}…` : shown;
}

function option<T>(rule: OptionRule, read: (given: unknown) => T | undefined): OptionType<T> {
  const type = z.unknown().transform((given, context): T => {
    const value = read(given);
    if (value !== undefined) return value;
    const shown = rule.kind === 'secret' && given !== '' ? 'a value not shown' : shownValue(given);
    context.addIssue({ code: 'custom', message: `must be ${rule.rule} (got ${shown})` });
    return z.NEVER;
  });
  rules.set(type._zod.def.out, rule);
  return type;
}

const asArray = (given: unknown): readonly unknown[] => (Array.isArray(given) ? given : []);

/** NaN when `given` is neither a number nor text of that form. */
function numberIn(given: unknown, form: RegExp): number {
  if (typeof given === 'number') return given;
  if (typeof given !== 'string' || !form.test(given.trim())) return Number.NaN;
  return Number(given.trim());
}
