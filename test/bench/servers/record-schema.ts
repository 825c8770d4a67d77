import { z } from 'zod';
import { Order } from '../../../pipelines/orders.pipeline.js';

/** What the routes beside ours check: the envelope and the payload of the example pipeline, by one zod schema. */
export const recordSchema = z.strictObject({ key: z.string().optional(), payload: Order });
export type OrderRecord = z.output<typeof recordSchema>;

export function linesOf(ndjson: string): unknown[] {
  return ndjson
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

/** The answer to a batch, in the form of ours. */
export function batchAnswer(ids: readonly string[]): object {
  const results = ids.map((id, index) => ({ index, id, status: 'accepted' }));
  return { accepted: ids.length, refused: 0, results };
}
