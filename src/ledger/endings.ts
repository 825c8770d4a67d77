import type { Ending } from './acknowledgments.port.js';
import { letterOf } from './redriven.js';

/** Endings of one batch, by the statement that enters them. */
export interface EndingGroups {
  readonly plain: readonly Ending[];
  /** By the table of their output rows. */
  readonly outputs: ReadonlyMap<string, readonly Ending[]>;
  readonly dead: readonly Ending[];
  /** Of Kafka records, whatever their end. */
  readonly positions: readonly Ending[];
  /** Of records that were sent again from their dead letter, whatever their source and end. */
  readonly redriven: readonly Ending[];
}

export function groupEndings(endings: readonly Ending[]): EndingGroups {
  const plain: Ending[] = [];
  const dead: Ending[] = [];
  const positions: Ending[] = [];
  const redriven: Ending[] = [];
  const outputs = new Map<string, Ending[]>();
  for (const ending of endings) {
    if (letterOf(ending.record) !== undefined) {
      redriven.push(ending);
    } else if (ending.record.source === 'kafka') {
      positions.push(ending);
    } else if (ending.terminal.status === 'dead-lettered') {
      dead.push(ending);
    } else if (ending.output === undefined) {
      plain.push(ending);
    } else {
      const rows = outputs.get(ending.output.table) ?? [];
      outputs.set(ending.output.table, rows);
      rows.push(ending);
    }
  }
  return { plain, outputs, dead, positions, redriven };
}

/** A record has one end: the first of the batch counts. */
export function withoutRepeated(endings: readonly Ending[]): readonly Ending[] {
  const seen = new Set<string>();
  for (const { record } of endings) seen.add(record.id);
  if (seen.size === endings.length) return endings;
  return endings.filter(({ record }) => seen.delete(record.id));
}
