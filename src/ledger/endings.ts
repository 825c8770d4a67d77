import type { Ending } from './acknowledgments.port.js';
import { textArray } from './binary-array.js';
import { letterOf } from './redriven.js';
import { OUTCOME } from './statements/acknowledge.statements.js';

type ByTable = ReadonlyMap<string, readonly Ending[]>;

/** Endings of one batch, by the statement that enters them. */
export interface EndingGroups {
  /** Parts of records that go on. */
  readonly parts: readonly Ending[];
  /** The same with output rows, by their table. */
  readonly partOutputs: ByTable;
  readonly plain: readonly Ending[];
  /** By the table of their output rows. */
  readonly outputs: ByTable;
  /** Of records whose other destinations have entered their parts. */
  readonly last: readonly Ending[];
  readonly dead: readonly Ending[];
  /** Of Kafka records, whatever their end. */
  readonly positions: readonly Ending[];
  /** Of records that were sent again from their dead letter, whatever their source and end. */
  readonly redriven: readonly Ending[];
}

export function groupEndings(endings: readonly Ending[]): EndingGroups {
  const groups = {
    parts: [] as Ending[],
    partOutputs: new Map<string, Ending[]>(),
    plain: [] as Ending[],
    outputs: new Map<string, Ending[]>(),
    last: [] as Ending[],
    dead: [] as Ending[],
    positions: [] as Ending[],
    redriven: [] as Ending[],
  };
  for (const ending of endings) {
    const { record, terminal, output, step } = ending;
    if (letterOf(record) !== undefined) groups.redriven.push(ending);
    else if (record.source === 'kafka') groups.positions.push(ending);
    else if (terminal.status === 'dead-lettered') groups.dead.push(ending);
    else if (step === 'last') groups.last.push(ending);
    else if (output !== undefined) {
      addTo(step === 'part' ? groups.partOutputs : groups.outputs, output.table, ending);
    } else (step === 'part' ? groups.parts : groups.plain).push(ending);
  }
  return groups;
}

/** A record has one end: the first of the batch counts. Parts are no end, and may be repeated. */
export function withoutRepeated(endings: readonly Ending[]): readonly Ending[] {
  const seen = new Set<string>();
  let parts = 0;
  for (const { record, step } of endings) {
    if (step === 'part') parts += 1;
    else seen.add(record.id);
  }
  if (seen.size + parts === endings.length) return endings;
  return endings.filter(({ record, step }) => step === 'part' || seen.delete(record.id));
}

/** What an end is known by; a part by its destination as well. */
export function endingKey({ record, step, destination }: Ending): string {
  return step === 'part' ? `${record.id} ${destination}` : record.id;
}

/** The dead letters that follow from an end, one for each destination. */
export function deadOf(ending: Ending): readonly Ending[] {
  if (ending.others === undefined) return [ending];
  return [ending, ...ending.others].filter(({ terminal }) => terminal.status === 'dead-lettered');
}

export function acceptedAtMsOf({ record }: Ending): number {
  return record.acceptedAtMs > 0 ? record.acceptedAtMs : record.receivedAtMs;
}

export function outcomeOf(ending: Ending): number {
  return ending.terminal.status === 'discarded' ? OUTCOME.discarded : OUTCOME.acknowledged;
}

/** A parameter of the statements that enter endings. */
export function externalIdsOf(endings: readonly Ending[]): Buffer {
  return textArray(endings.map(({ externalId }) => externalId?.toString() ?? null));
}

/** What a statement answers: the ids come only when some did not end. */
export type Answer = [count: number, ended: string[] | null];

/** The endings that a statement has entered. */
export function endedOf(endings: readonly Ending[], rows: readonly Answer[]): readonly Ending[] {
  const [count, ids] = rows[0] ?? [0, null];
  if (count === endings.length) return endings;
  const ended = new Set(ids);
  return endings.filter(({ record }) => ended.has(record.id));
}

function addTo(groups: Map<string, Ending[]>, table: string, ending: Ending): void {
  const group = groups.get(table);
  if (group === undefined) groups.set(table, [ending]);
  else group.push(ending);
}
