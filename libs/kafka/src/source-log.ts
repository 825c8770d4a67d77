import type { KafkaLogger } from './kafka-logger.js';
import type { KafkaSourceEvents } from './source-events.js';

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Says in the log what a person should know of a source's events. */
export function logSourceEvents(events: KafkaSourceEvents, logger: KafkaLogger): void {
  events.on('state', ({ to, detail }) => {
    if (to === 'failed') logger.error(`Kafka source: ${detail}`);
    else if (to === 'waiting') logger.warn(`Kafka source: ${detail}`);
    else logger.info(`Kafka source is ${to}`);
  });
  events.on('assigned', (change) => logger.info('Kafka partitions assigned', { ...change }));
  events.on('offsetReset', ({ topic, partition, from, to }) =>
    logger.error(
      `Records ${from} to ${to - 1n} of ${topic}:${partition} were deleted before they were read`,
    ),
  );
  events.on('incarnation', ({ topic, oldIncarnation, incarnation, oldLow }) =>
    logger.error(
      `Topic ${topic} was made anew: incarnation ${incarnation} begins, ${oldIncarnation} ended at ${oldLow}`,
    ),
  );
  events.on('committedAhead', ({ topic, partition, committed, low }) =>
    logger.warn(
      `The group's offset ${committed} of ${topic}:${partition} is ahead of the books, which say ${low}; the books decide`,
    ),
  );
  events.on('fenced', ({ topic, partition }) =>
    logger.warn(`Another consumer has taken ${topic}:${partition}; its books are read again`),
  );
  events.on('paused', (pause) => logger.info('Kafka partition paused', { ...pause }));
  events.on('resumed', (pause) => logger.info('Kafka partition resumed', { ...pause }));
  events.on('crash', (error) => logger.error(`The Kafka consumer crashed: ${error.message}`));
  events.on('trouble', ({ during, error }) =>
    logger.warn(`Kafka: ${during} failed and is tried again: ${text(error)}`),
  );
}
