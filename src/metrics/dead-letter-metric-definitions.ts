import { metric, type MetricDefinition } from './metric-definitions.js';

/** What is known of dead letters. The gauge is of the whole database, the counters are of this process. */
export const DEAD_LETTER_METRICS = {
  letters: metric(
    'pipeline_dead_letters',
    'gauge',
    ['state'],
    'Letters of the whole database that count towards their bound: waiting, or on their way again.',
  ),
  capacity: metric(
    'pipeline_dead_letters_capacity',
    'gauge',
    [],
    'The bound of the letters (EGRESS_MAX_DEAD_LETTER_QUEUE_SIZE); at it the stages stop.',
  ),
  written: metric(
    'pipeline_dead_letters_written_total',
    'counter',
    [],
    'Letters written: records that ended without a delivery.',
  ),
  redrives: metric(
    'pipeline_dead_letters_redrives_total',
    'counter',
    [],
    'Letters that operators asked this process to send again.',
  ),
  redriven: metric(
    'pipeline_dead_letters_redriven_total',
    'counter',
    [],
    'Letters that left: their record was sent again and has reached another end.',
  ),
  returned: metric(
    'pipeline_dead_letters_returned_total',
    'counter',
    [],
    'Letters that wait again: their record was sent again and has died again.',
  ),
  discarded: metric(
    'pipeline_dead_letters_discarded_total',
    'counter',
    [],
    'Letters that left: operators have discarded them by this process.',
  ),
} as const satisfies Readonly<Record<string, MetricDefinition>>;
