import type { TransactionSession } from './transaction-session.js';
import type { Statement } from './ledger-session.js';

/** What a transaction adds to the running totals of one source; letters that are sent again take from `deadLettered`. */
export interface EndCounts {
  readonly acknowledged: number;
  readonly deadLettered: number;
  readonly discarded: number;
}

export interface EndTotals {
  readonly rest: EndCounts;
  readonly kafka: EndCounts;
}

/** Rows of `total` of one instance: each has one writer at a time, so none waits for another. */
export const TOTAL_SLOT = { flush: 0, acknowledge: 1, redrive: 2 } as const;

/** $1 instance, $2 slot, $3 source, $4 acknowledged, $5 dead-lettered, $6 discarded. */
const COUNT_ENDS: Statement = {
  text: `INSERT INTO total AS t (instance, slot, source, acknowledged, dead_lettered, discarded)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (instance, slot, source) DO UPDATE
SET acknowledged = t.acknowledged + excluded.acknowledged, dead_lettered = t.dead_lettered + excluded.dead_lettered,
  discarded = t.discarded + excluded.discarded`,
};

/** Counts ends inside the transaction that enters them. */
export async function countEnds(
  session: TransactionSession,
  row: { readonly instanceId: string; readonly slot: number },
  totals: EndTotals,
): Promise<void> {
  for (const source of ['rest', 'kafka'] as const) {
    const { acknowledged, deadLettered, discarded } = totals[source];
    if (acknowledged === 0 && deadLettered === 0 && discarded === 0) continue;
    const counts = [acknowledged, deadLettered, discarded];
    await session.query(COUNT_ENDS, [row.instanceId, row.slot, source, ...counts]);
  }
}
