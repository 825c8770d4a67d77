import { TOPIC_NAME } from './topic-name.js';

/** Reads Kafka topics. */
export interface KafkaSourceDefinition {
  readonly kind: 'kafka';
  /** At least one; KAFKA_INPUT_TOPICS wins over them. */
  readonly topics: readonly string[];
}

/** Takes records by `POST /v1/records` and `/v1/records:batch`. */
export interface RestSourceDefinition {
  readonly kind: 'rest';
}

/** A source of a definition's `sources`. */
export type SourceDefinition = KafkaSourceDefinition | RestSourceDefinition;

/** Records of these topics. Throws a TypeError for no topic, one named twice, and what is no name of a topic. */
export function kafka(...topics: readonly string[]): KafkaSourceDefinition {
  if (!areTopics(topics)) {
    throw new TypeError(
      `kafka: topics must be one or more different topic names of letters, digits, dots, dashes and underscores (got ${JSON.stringify(topics)})`,
    );
  }
  return Object.freeze({ kind: 'kafka', topics: Object.freeze([...topics]) });
}

/** Records by REST. */
export function rest(): RestSourceDefinition {
  return Object.freeze({ kind: 'rest' });
}

/** For definitions that no compiler has seen. */
export function isSourceDefinition(value: unknown): value is SourceDefinition {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  if (value.kind === 'rest') return true;
  return value.kind === 'kafka' && 'topics' in value && areTopics(value.topics);
}

/** The topics that the sources name; undefined when there are no sources, or Kafka is none of them. */
export function topicsOf(
  sources: readonly SourceDefinition[] | undefined,
): readonly string[] | undefined {
  return sources?.find((source) => source.kind === 'kafka')?.topics;
}

/** Whether records are taken by REST: unless there are sources without it. */
export function offersRest(sources: readonly SourceDefinition[] | undefined): boolean {
  return sources === undefined || sources.some(({ kind }) => kind === 'rest');
}

function areTopics(topics: unknown): topics is readonly string[] {
  if (!Array.isArray(topics) || topics.length === 0) return false;
  if (new Set(topics).size !== topics.length) return false;
  return topics.every((topic) => typeof topic === 'string' && TOPIC_NAME.test(topic));
}
