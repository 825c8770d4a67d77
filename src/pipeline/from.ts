/**
 * The fluent form of a pipeline definition:
 *
 * ```ts
 * export default from(kafka('orders'), rest())
 *   .filter(isValid)
 *   .keyBy((order) => order.customerId)
 *   .map(price)
 *   .mapAsync(enrich, { timeoutMs: 10_000, capacity: 100 })
 *   .sinkTo(kafkaSink({ topic: 'orders-out' }));
 * ```
 *
 * F1 every step is a definition as `definePipeline` makes it, checked by it: one runtime, no second way.
 * F2 a step changes nothing but what follows from it; a chain may be kept and continued twice.
 * F3 steps stand in the order in which the stages run; anything else is a type error, and a TypeError at load.
 */
import { type AnyPipelineDefinition, definePipeline, type EgressLimits } from './definition.js';
import type { Sourced } from './flow.js';
import {
  type Change,
  composed,
  discarding,
  keyed,
  type KeyOf,
  type Predicate,
  shielded,
} from './flow-functions.js';
import type { SinkDefinition } from './sink-definition.js';
import { type SourceDefinition, topicsOf } from './source-definition.js';
import type { StandardSchemaV1 } from './standard-schema.js';

/** In the order in which they must stand; a step may follow itself unless it is in ONCE. */
const ORDER = ['from', 'validate', 'keyBy', 'map', 'mapAsync', 'sinkTo'] as const;
type Place = (typeof ORDER)[number];
const ONCE: readonly Place[] = ['validate', 'keyBy', 'mapAsync'];

interface Parts {
  readonly place: Place;
  readonly fields: AnyPipelineDefinition;
  readonly changes: readonly Change[];
  /** Those before `keyBy`. */
  readonly filters: readonly Predicate[];
}

/**
 * Begins a chain; `Payload` is what the records are until `validate` or a narrowing `filter` says it. Throws a TypeError
 * for what is no source.
 */
export function from<Payload = unknown>(
  ...sources: readonly [SourceDefinition, ...SourceDefinition[]]
): Sourced<Payload> {
  const name = topicsOf(sources)?.[0] ?? 'rest';
  const chain = new Chain({
    place: 'from',
    fields: { name, sources: Object.freeze([...sources]) },
    changes: [],
    filters: [],
  });
  return chain as unknown as Sourced<Payload>;
}

/** All steps in one class; its types (`flow.ts`) show of them what may follow. Fields are the definition's, and no others. */
class Chain implements AnyPipelineDefinition {
  declare readonly name: string;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    const preprocess = composed(parts.changes);
    const fields = { ...parts.fields, ...(preprocess === undefined ? {} : { preprocess }) };
    Object.assign(this, definePipeline(fields as Parameters<typeof definePipeline>[0]));
    Object.freeze(this);
  }

  named(name: string): Chain {
    return this.#with({ fields: { ...this.#parts.fields, name } });
  }

  validate(schema: StandardSchemaV1): Chain {
    const { changes } = this.#parts;
    if (changes.length > 0) throw misplaced('validate', 'filter');
    return this.#next('validate', { schema });
  }

  filter(predicate: Predicate, reason?: string): Chain {
    requireFunction('filter', predicate);
    const { place, changes, filters } = this.#parts;
    if (reason !== undefined && (typeof reason !== 'string' || reason === '')) {
      throw new TypeError(`from(…).filter: the reason must be a non-empty text`);
    }
    const change = discarding(predicate, reason ?? reasonOf(predicate));
    if (isBefore(place, 'keyBy')) {
      return this.#with({ changes: [...changes, change], filters: [...filters, predicate] });
    }
    return this.#changed('filter', change);
  }

  keyBy(key: KeyOf): Chain {
    requireFunction('keyBy', key);
    const { changes, filters } = this.#parts;
    const next = this.#next('keyBy', { key: shielded(key, filters) });
    return filters.length === 0 ? next : next.#with({ changes: [...changes, keyed(key)] });
  }

  map(change: Change): Chain {
    requireFunction('map', change);
    return this.#changed('map', change);
  }

  mapAsync(egress: (payload: never) => unknown, limits?: EgressLimits): Chain {
    requireFunction('mapAsync', egress);
    return this.#next('mapAsync', {
      egress,
      ...(limits === undefined ? {} : { egressLimits: Object.freeze({ ...limits }) }),
    });
  }

  sinkTo(...more: readonly SinkDefinition[]): Chain {
    const sinks = [...(this.#parts.fields.sinks ?? []), ...more];
    return this.#next('sinkTo', { sinks: Object.freeze(sinks) });
  }

  #changed(step: 'filter' | 'map', change: Change): Chain {
    const { place, changes } = this.#parts;
    if (isBefore('map', place)) throw misplaced(step, place);
    return this.#with({ place: 'map', changes: [...changes, change] });
  }

  #next(step: Place, fields: Partial<AnyPipelineDefinition>): Chain {
    const { place } = this.#parts;
    if (place === step && ONCE.includes(step)) {
      throw new TypeError(`from(…).${step} may stand once in a chain`);
    }
    if (isBefore(step, place)) throw misplaced(step, place);
    return this.#with({ place: step, fields: { ...this.#parts.fields, ...fields } });
  }

  #with(changed: Partial<Parts>): Chain {
    return new Chain({ ...this.#parts, ...changed });
  }
}

function isBefore(step: Place, other: Place): boolean {
  return ORDER.indexOf(step) < ORDER.indexOf(other);
}

function misplaced(step: string, place: string): TypeError {
  return new TypeError(
    `from(…).${step} must stand before ${place}: the stages run in the order validate, keyBy, map and filter, mapAsync, sinkTo`,
  );
}

function requireFunction(step: string, value: unknown): void {
  if (typeof value === 'function') return;
  throw new TypeError(`from(…).${step} must be given a function (got ${typeof value})`);
}

/** The reason that the books keep of what a filter without one discards. */
function reasonOf({ name }: Predicate): string {
  return name === '' ? 'filtered' : `filtered by ${name}`;
}
