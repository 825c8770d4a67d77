import type { SinkDefinition } from './sink-definition.js';
import type {
  AnyPipelineDefinition,
  Awaitable,
  Discarded,
  EgressContext,
  EgressLimits,
  PreprocessContext,
} from './definition.js';
import type { StandardSchemaV1 } from './standard-schema.js';

/**
 * The chain of `from(…)`, step by step. Each step is a definition itself, so a chain may end anywhere; which methods a
 * step has is the order in which the five stages run: sources, schema, key, preprocessing, external call, sinks.
 */
interface Step extends AnyPipelineDefinition {
  /** Names the pipeline in status and logs. Without it: the first topic, or `rest`. */
  named(name: string): this;
}

/** A chain that may get its sinks. */
export interface Sinking<Payload> extends Step {
  /** Delivers to these, beside those of an earlier `sinkTo`; a sink's `map` gets this payload. Without any: SINKS. */
  sinkTo(...sinks: readonly SinkDefinition<Payload>[]): Delivered<Payload>;
}

/** What a chain is after `sinkTo`: only further sinks can follow. */
export type Delivered<Payload> = Sinking<Payload>;

/** A chain whose payload may still be looked at and changed. */
export interface Processing<Payload> extends Sinking<Payload> {
  /** Lets through what the predicate holds for; the rest is discarded, with this reason. Synchronous. */
  filter<Narrowed extends Payload>(
    predicate: (payload: Payload) => payload is Narrowed,
    reason?: string,
  ): Processing<Narrowed>;
  filter(predicate: (payload: Payload) => boolean, reason?: string): Processing<Payload>;
  /** Replaces the payload, or ends the record by `discard`. Synchronous. */
  map<Result>(
    change: (payload: Payload, context: PreprocessContext) => Result,
  ): Processing<Exclude<Result, Discarded>>;
  /** External I/O, once per chain: what it returns replaces the payload, undefined keeps it. */
  mapAsync<Result>(
    call: (payload: Payload, context: EgressContext) => Awaitable<Result>,
    limits?: EgressLimits,
  ): Sinking<KeptOr<Payload, Result>>;
}

/** A chain without a key yet: the key is computed of the payload as it came, so before any `map`. */
export interface Keyless<Payload> extends Processing<Payload> {
  filter<Narrowed extends Payload>(
    predicate: (payload: Payload) => payload is Narrowed,
    reason?: string,
  ): Keyless<Narrowed>;
  filter(predicate: (payload: Payload) => boolean, reason?: string): Keyless<Payload>;
  /** The key by which order is kept; without it the sender's key. Computed only of what the filters before it let through. */
  keyBy(key: (payload: Payload) => string | number | undefined | null): Processing<Payload>;
}

/** A chain as `from` begins it. */
export interface Sourced<Payload> extends Keyless<Payload> {
  /** Any Standard Schema that validates synchronously: what it refuses is a 422, or a dead letter `validation`. */
  validate<Valid>(schema: StandardSchemaV1<unknown, Valid>): Keyless<Valid>;
}

/** `undefined` keeps the payload. */
type KeptOr<Payload, Result> =
  | Exclude<Result, undefined | void>
  | (undefined extends Result ? Payload : void extends Result ? Payload : never);
