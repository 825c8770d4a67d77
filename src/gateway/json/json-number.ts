/** Digits that every double carries through parsing and printing. */
export const ALWAYS_SAFE_DIGITS = 15;
/** A double printed with all its digits has no more. */
const MOST_DIGITS = 17;
/** Smaller doubles have fewer digits the smaller they are (subnormal numbers). */
const SMALLEST_NORMAL = 2.2250738585072014e-308;

/**
 * Whether a number, as JSON text, keeps its value when it is parsed and written again: neither beyond the doubles
 * (`1e400`, `1e-400`) nor too small for its digits (`4.9e-324`), nor with more than 17 significant digits, nor, written without an exponent, beyond 2^53 − 1,
 * where neighbours are one number.
 */
export function isSafeNumber(token: string): boolean {
  const digits = digitsOf(token);
  if (digits.length > MOST_DIGITS) return false;
  const value = Math.abs(Number(token));
  if (!Number.isFinite(value)) return false;
  if (value < SMALLEST_NORMAL) return digits === digitsOf(String(value));
  return /[eE]/.test(token) || value <= Number.MAX_SAFE_INTEGER;
}

/** The significant digits of a number's text. */
function digitsOf(token: string): string {
  return token
    .replace(/[eE].*/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '');
}
