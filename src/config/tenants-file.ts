import { readFileSync } from 'node:fs';
import { PRIORITIES, type Priority } from '../pipeline/record.js';
import { shownValue } from './option.js';
import { TENANT_NAME, TENANT_NAME_RULE } from './tenant-name.js';

/** What one tenant may do; what is absent is not limited. */
export interface TenantRule {
  /** Records accepted a second. */
  readonly ratePerSecond?: number;
  /** Records that are accepted, or being accepted, and have not ended. */
  readonly maxInFlight?: number;
  /** What is sent with a higher priority counts as this one. */
  readonly highestPriority?: Priority;
}

/** By tenant; `*` stands for every tenant that is not named, each for itself. */
export type TenantRules = ReadonlyMap<string, TenantRule>;

export const OTHER_TENANTS = '*';

interface Field {
  /** Reads after "must be". */
  readonly rule: string;
  readonly isRight: (value: unknown) => boolean;
}

const PER_SECOND: Field = {
  rule: 'a number above 0',
  isRight: (value) => typeof value === 'number' && value > 0 && Number.isFinite(value),
};
const COUNT: Field = {
  rule: 'a whole number of at least 1',
  isRight: (value) => Number.isSafeInteger(value) && (value as number) >= 1,
};
const PRIORITY: Field = {
  rule: `one of ${PRIORITIES.join(', ')}`,
  isRight: (value) => PRIORITIES.includes(value as Priority),
};
const FIELDS: Readonly<Record<keyof TenantRule, Field>> = {
  ratePerSecond: PER_SECOND,
  maxInFlight: COUNT,
  highestPriority: PRIORITY,
};

/** Reads TENANTS_FILE. Gives the rules, and a sentence for every mistake: the file, the tenant, the field, the rule. */
export function readTenantsFile(path: string): {
  readonly rules: TenantRules;
  readonly mistakes: readonly string[];
} {
  const rules = new Map<string, TenantRule>();
  const file = readJson(path);
  if (typeof file === 'string') return { rules, mistakes: [file] };
  const mistakes = Object.entries(file).flatMap(([tenant, rule]) => {
    const wrong = mistakesOf(tenant, rule);
    if (wrong.length === 0) rules.set(tenant, rule as TenantRule);
    return wrong.map(
      (mistake) => `TENANTS_FILE ${path}: tenant ${shownValue(tenant)}: ${mistake}.`,
    );
  });
  return { rules, mistakes };
}

/** The object in the file, or what is wrong with it. */
function readJson(path: string): object | string {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === undefined ? 'it is not JSON' : message;
    return `TENANTS_FILE must name a JSON file (got ${shownValue(path)}: ${reason}).`;
  }
  if (isObject(value)) return value;
  return `TENANTS_FILE ${path} must hold an object with one member a tenant (got ${shownValue(value)}).`;
}

function mistakesOf(tenant: string, rule: unknown): string[] {
  if (tenant !== OTHER_TENANTS && !TENANT_NAME.test(tenant)) {
    return [`its name must be ${OTHER_TENANTS} or ${TENANT_NAME_RULE}`];
  }
  if (!isObject(rule)) return [`must be an object (got ${shownValue(rule)})`];
  return Object.entries(rule).flatMap(([name, value]) => {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof TenantRule] : undefined;
    if (field === undefined) return [unknownField(name)];
    return field.isRight(value) ? [] : [`${name} must be ${field.rule} (got ${shownValue(value)})`];
  });
}

function unknownField(name: string): string {
  const known = `known are ${Object.keys(FIELDS).join(', ')}`;
  const reason =
    name === 'weight'
      ? 'is not possible yet, as tenants are not weighted'
      : 'is no field of a tenant';
  return `${name} ${reason} (${known})`;
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
