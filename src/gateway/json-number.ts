/** Digits that every double carries through parsing and printing. */
export const ALWAYS_SAFE_DIGITS = 15;
/** A double printed with all its digits has no more. */
const MOST_DIGITS = 17;

/**
 * Whether a number, as JSON text, keeps its value when it is parsed and written again: neither beyond the doubles
 * (`1e400`, `1e-400`), nor with more than 17 significant digits, nor, written without an exponent, beyond 2^53 − 1,
 * where neighbours are one number.
 */
export function isSafeNumber(token: string): boolean {
  const exponentAt = token.search(/[eE]/);
  const mantissa = exponentAt === -1 ? token : token.slice(0, exponentAt);
  const digits = mantissa.replace(/[-.]/g, '').replace(/^0+/, '').replace(/0+$/, '');
  if (digits.length > MOST_DIGITS) return false;
  const value = Math.abs(Number(token));
  if (!Number.isFinite(value)) return false;
  if (value === 0) return digits === '';
  return exponentAt !== -1 || value <= Number.MAX_SAFE_INTEGER;
}
