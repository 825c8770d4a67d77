import type { KafkaLogger } from './kafka-logger.js';

export interface Patch {
  /** What of kafkajs is replaced, for the warning. */
  readonly name: string;
  /** Whether the target is as it was when the patch was written. */
  readonly isKnown: boolean;
  readonly apply: () => void;
}

const patched = new WeakSet<object>();

/**
 * Replaces a part of kafkajs. Idempotent for a target. Returns false, and warns, when the part is not the one known: it
 * stays as it is.
 */
export function patchOnce(
  target: object,
  logger: Pick<KafkaLogger, 'warn'>,
  { name, isKnown, apply }: Patch,
): boolean {
  if (patched.has(target)) return true;
  if (!isKnown) {
    logger.warn(`This kafkajs has other ${name} than 2.2.4; they stay as they are`);
    return false;
  }
  apply();
  patched.add(target);
  return true;
}
