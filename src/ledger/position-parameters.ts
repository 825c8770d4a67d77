import type { Ending, OutputRow } from './acknowledgments.port.js';
import { int2Array, int4Array, int8Array, textArray } from './binary-array.js';
import type { DestinationCodes } from './destination-codes.js';
import { acceptedAtMsOf, externalIdsOf } from './endings.js';
import type { MarkedOffset } from './kafka-marks.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { OUTCOME } from './statements/acknowledge.statements.js';
import { DEAD } from './statements/kafka.statements.js';

/** The end of a Kafka record, and where it is entered. */
export interface PositionEnding extends MarkedOffset {
  readonly ending: Ending;
  /** The record as its origin knows it. */
  readonly record: PipelineRecord;
}

/**
 * A plain end is a bit of the watermark; everything else is a row of its own. Of a record with several destinations all
 * have a row as soon as one needs it.
 */
export function exceptionsOf(position: PositionEnding): readonly PositionEnding[] {
  const { ending } = position;
  const { others } = ending;
  if (others === undefined) return isException(ending) ? [position] : [];
  const all = [ending, ...others].filter(({ destination }) => destination !== '');
  return all.some(isException) ? all.map((one) => ({ ...position, ending: one })) : [];
}

function isException({ terminal, attempts }: Ending): boolean {
  return terminal.status !== 'acknowledged' || attempts > 1;
}

/** Parameters $8 to $17 of the statement that ends positions. */
export function exceptionParameters(
  exceptions: readonly PositionEnding[],
  destinations: DestinationCodes,
): Buffer[] {
  const endings = exceptions.map(({ ending }) => ending);
  return [
    ...placesOf(exceptions),
    int8Array(exceptions.map(({ offset }) => offset)),
    textArray(endings.map(({ record }) => record.tenant)),
    timesOf(endings),
    int2Array(endings.map(({ destination }) => destinations.of(destination))),
    int2Array(endings.map(outcomeOf)),
    int2Array(endings.map(({ attempts }) => attempts)),
    externalIdsOf(endings),
    textArray(endings.map(({ terminal }) => terminal.reason ?? null)),
  ];
}

/** Parameters $19 to $26: the rows of the sink's table. */
export function outputParameters(delivered: readonly PositionEnding[]): Buffer[] {
  const endings = delivered.map(({ ending }) => ending);
  const outputs = endings.map((ending) => ending.output as OutputRow);
  return [
    ...placesOf(delivered),
    textArray(endings.map(({ record }) => record.id)),
    textArray(outputs.map((output) => output.key)),
    textArray(outputs.map((output) => output.payload)),
    textArray(outputs.map((output) => output.headers)),
    int2Array(endings.map(({ record }) => record.partition)),
    timesOf(endings),
  ];
}

function placesOf(endings: readonly PositionEnding[]): Buffer[] {
  return [
    int4Array(endings.map(({ mark }) => mark.source)),
    int4Array(endings.map(({ mark }) => mark.partition)),
  ];
}

function timesOf(endings: readonly Ending[]): Buffer {
  return int8Array(endings.map((ending) => BigInt(Math.trunc(acceptedAtMsOf(ending)))));
}

function outcomeOf({ terminal }: Ending): number {
  if (terminal.status === 'dead-lettered') return DEAD;
  return terminal.status === 'discarded' ? OUTCOME.discarded : OUTCOME.acknowledged;
}
