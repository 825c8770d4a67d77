/**
 * What the steps of a chain become: one `preprocess` and one `key`.
 *
 * FF1 steps run in the order in which they were written; the first that discards ends the record.
 * FF2 a key is asked for only of payloads that the filters before `keyBy` let through: KeyGen runs before preprocessing,
 *     so where the key can't be computed and a filter discards the record, the record has no key and is discarded.
 * FF3 a record that is not discarded never loses its key that way: it is an error of the pipeline. (Both by preprocessing:
 *     INGRESS_ENABLE_PREPROCESSING=false switches the filters off as well.)
 */
import { type AnyPipelineDefinition, Discarded, type PreprocessContext } from './definition.js';
import { PipelineFunctionError } from './pipeline-function.error.js';
import { isUnawaited } from './promise-like.js';

export type Change = (payload: unknown, context: PreprocessContext) => unknown;
export type Predicate = (payload: unknown) => unknown;
export type KeyOf = (payload: unknown) => string | number | undefined | null;

/** The changes one after the other; undefined when there are none. */
export function composed(changes: readonly Change[]): AnyPipelineDefinition['preprocess'] {
  if (changes.length <= 1) return changes[0];
  return (payload: unknown, context: PreprocessContext): unknown => {
    let value = payload;
    for (const change of changes) {
      value = change(value, context);
      // A promise is nobody's payload: whoever called says that it must not be one.
      if (value instanceof Discarded || isUnawaited(value)) return value;
    }
    return value;
  };
}

/** Discards what the predicate does not hold for. */
export function discarding(predicate: Predicate, reason: string): Change {
  return (payload, { discard }) => (holds(predicate, payload) ? payload : discard(reason));
}

/** The key, and none where it can't be computed of a payload that one of the filters lets not through (FF2). */
export function shielded(keyOf: KeyOf, filters: readonly Predicate[]): KeyOf {
  if (filters.length === 0) return keyOf;
  return (payload) => {
    try {
      return keyOf(payload);
    } catch (error) {
      if (isFilteredOut(payload, filters)) return undefined;
      throw error;
    }
  };
}

/** Throws for a payload that has a key, of a record that has none (FF3); it passes the payload on. */
export function keyed(keyOf: KeyOf): Change {
  return (payload, { key }) => {
    if (key === undefined && (keyOf(payload) ?? undefined) !== undefined) {
      throw new PipelineFunctionError(
        'key',
        'must not depend on what the schema fills in (it has none for the payload as it came)',
      );
    }
    return payload;
  };
}

function isFilteredOut(payload: unknown, filters: readonly Predicate[]): boolean {
  try {
    return !filters.every((predicate) => holds(predicate, payload));
  } catch {
    return false; // The filter fails on it again where its error is told.
  }
}

function holds(predicate: Predicate, payload: unknown): boolean {
  const answer = predicate(payload);
  if (isUnawaited(answer)) {
    throw new PipelineFunctionError(
      'preprocess',
      'has a filter that gave a promise, but it must be synchronous',
    );
  }
  return Boolean(answer);
}
