/** Throws a RangeError that names the owner, the option, the rule and the value. */
export function requireAtLeast(owner: string, option: string, value: number, least: number): void {
  if (value >= least) return;
  throw new RangeError(`${owner}: ${option} must be at least ${least}, not ${value}`);
}

/** The same for a whole, finite number: counts and bounds. */
export function requireCount(owner: string, option: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new RangeError(`${owner}: ${option} must be a whole number from ${least}, not ${value}`);
}
