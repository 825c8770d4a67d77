import type { Lot } from '#libs/flow-control';
import type { Ending } from '../ledger/acknowledgments.port.js';
import { EXPIRED } from '../pipeline/expiry.js';
import type { Carried } from '../pipeline/give-back.js';
import type { PipelineRecord } from '../pipeline/record.js';
import type { Delivered } from './delivery-item.js';
import type { RecordEnds } from './record-ends.js';
import type { Distribution, SinkRoute } from './sink-route.js';

/** A record on its way to several sinks. */
interface Fan extends Carried {
  /** Required sinks that have not answered. */
  open: number;
  readonly acknowledged: Ending[];
  readonly dead: Ending[];
  /** Those that wait for the record's end. */
  readonly waiting: (() => void)[];
}

/** A record as one of the sinks has it. */
interface Copy extends PipelineRecord {
  fan: Fan | undefined;
}

/**
 * One record to several sinks: each gets a copy, with attempts and failures of its own, and keeps its own order.
 *
 * ```
 * take ─▶ a copy for each sink ─┬▶ acknowledged, others open ─▶ part in the books
 *                               ├▶ gave up, others open ─▶ waits, and its key at that sink with it
 *                               └▶ the last answer ─▶ all acknowledged: acknowledged; else dead letters ─▶ credits
 * ```
 * FO1 a record ends when every required sink has answered, and once: acknowledged when all acknowledged, dead-lettered
 *     when one gave up, with a letter for each that did; discarded when it only expired.
 * FO2 a sink gets a record only if it may still have to acknowledge it (`deliverTo`).
 * FO3 a sink that is not required holds back nothing, and its answer decides nothing (BestEffort bounds it).
 * FO4 the later records of a key wait at the sink that gave an earlier one up until that has its end: a restart before it
 *     would deliver the earlier one after them.
 * The copies share payload and bytes. Those for required sinks are bounded by the stage's credits, times the sinks.
 */
export class FanOut implements Distribution {
  constructor(
    private readonly routes: readonly SinkRoute[],
    private readonly ends: RecordEnds,
  ) {}

  take(records: readonly PipelineRecord[], lot: Lot): void {
    const shares = this.routes.map((): PipelineRecord[] => []);
    const complete: Fan[] = [];
    for (const record of records) {
      const fan: Fan = { record, lot, open: 0, acknowledged: [], dead: [], waiting: [] };
      this.routes.forEach((route, i) => {
        if (!isFor(record, route)) return;
        if (route.bestEffort === undefined) fan.open += 1;
        shares[i]!.push(copyOf(fan));
      });
      if (fan.open === 0) complete.push(fan);
    }
    // Only now: a sink that need not acknowledge answers at once.
    this.routes.forEach(({ deliveries }, i) => {
      if (shares[i]!.length > 0) deliveries.take(shares[i]!, lot);
    });
    if (complete.length > 0) void this.ends.enter(complete.map(completeEnding), complete);
  }

  /** A sink has these copies. */
  delivered(route: SinkRoute, delivered: readonly Delivered[]): void {
    const parts: Ending[] = [];
    const endings: Ending[] = [];
    const ended: Fan[] = [];
    for (const each of delivered) {
      const fan = answered(each.record);
      if (fan === undefined) continue;
      const part = partOf(fan, each, route.sink.name);
      route.bestEffort?.delivered(each.record);
      if (route.bestEffort === undefined) fan.open -= 1;
      const isLast = route.bestEffort === undefined && fan.open === 0;
      if (isLast && fan.dead.length === 0) {
        endings.push({ ...part, step: 'last', others: fan.acknowledged });
        ended.push(fan);
        continue;
      }
      if (!route.sink.endsRecords) parts.push(part);
      if (route.bestEffort === undefined) fan.acknowledged.push(part);
      if (isLast) void this.bury(fan);
    }
    if (parts.length > 0) void this.ends.enterParts(parts);
    if (endings.length > 0) void this.ends.enter(endings, ended);
  }

  /** A sink gets this copy no more. Resolves when its key may go on there. */
  async gaveUp(route: SinkRoute, { record: copy }: Carried, reason: string): Promise<void> {
    const fan = answered(copy);
    if (fan === undefined) return;
    if (route.bestEffort !== undefined) {
      route.bestEffort.gaveUp(copy);
      return;
    }
    fan.open -= 1;
    const terminal = { status: 'dead-lettered', reason } as const;
    const { attempts } = copy;
    fan.dead.push({ record: copy, terminal, attempts, destination: route.sink.name });
    if (fan.open === 0) await this.bury(fan);
    else await new Promise<void>((resolve) => fan.waiting.push(resolve));
  }

  private async bury(fan: Fan): Promise<void> {
    // Where it expired there is nothing to send again: no letter, unless another sink gave it up.
    const letters = fan.dead.filter(({ terminal }) => terminal.reason !== EXPIRED);
    const [first, ...others] = letters.length > 0 ? letters : fan.dead.slice(0, 1);
    if (first === undefined) return;
    const { record, lot } = fan;
    const { attempts, destination, terminal } = first;
    record.attempts = attempts;
    record.failures = first.record.failures;
    await this.ends.deadLetter(
      { record, attempts, destination, step: 'last', others: [...others, ...fan.acknowledged] },
      { reason: terminal.reason ?? 'rejected', lot },
    );
    for (const resolve of fan.waiting) resolve();
  }
}

/** Whether the record is to be offered to the sink now. */
function isFor(record: PipelineRecord, { sink, bestEffort }: SinkRoute): boolean {
  const { deliverTo } = record;
  if (deliverTo !== undefined && !deliverTo.has(sink.name)) return false;
  return bestEffort === undefined || bestEffort.tryEnter(record);
}

function copyOf(fan: Fan): Copy {
  const { record } = fan;
  return { ...record, attempts: 0, failures: record.failures?.slice(), fan };
}

/** Of a copy that FanOut has made; undefined from its first answer on. */
function answered(copy: PipelineRecord): Fan | undefined {
  const { fan } = copy as Copy;
  (copy as Copy).fan = undefined;
  return fan;
}

function partOf(
  { record }: Fan,
  { record: copy, externalId }: Delivered,
  destination: string,
): Ending {
  return {
    record,
    terminal: { status: 'acknowledged' },
    attempts: copy.attempts,
    destination,
    step: 'part',
    externalId,
  };
}

/** The end of a record that every required sink has acknowledged before it came here. */
export function completeEnding({ record }: Pick<Carried, 'record'>): Ending {
  const terminal = { status: 'acknowledged' } as const;
  return { record, terminal, attempts: 0, destination: '', step: 'last' };
}
