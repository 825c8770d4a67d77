import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pool } from 'pg';
import type { TestKafka, TestMessage } from './kafka.js';
import { type Service, temporaryFolder } from './service.js';
import { until } from './until.js';

/** A record of the input topic: `number` counts within its key, or within its partition for one without a key. */
export interface SentRecord {
  readonly partition: number;
  readonly key: string | null;
  readonly number: number;
}

const KEYS = 40;
const KEYLESS_EVERY = 10;

/** Not JSON, and not UTF-8. */
export const poison = (index: number): Buffer =>
  Buffer.concat([Buffer.from(`poison ${index} `), Buffer.from([0xff, 0xfe])]);

/** `count` messages over 4 or 8 `partitions`: a key is in one, every tenth message has none, every `poisonEvery`th is poison. */
export function makeMessages(
  count: number,
  { partitions, poisonEvery = Infinity, from = 0 }: MessageOptions,
): TestMessage[] {
  return Array.from({ length: count }, (_, at) => {
    const i = from + at;
    const partition = i % partitions;
    const key = i % KEYLESS_EVERY === 0 ? null : `key-${i % KEYS}`;
    if (i % poisonEvery === poisonEvery - 1) return { partition, key, value: poison(i) };
    // Numbers need not be dense: they grow within a key.
    const value = JSON.stringify({ key, number: i, text: 'x'.repeat(200) });
    return { partition, key, value };
  });
}

export interface MessageOptions {
  readonly partitions: number;
  readonly poisonEvery?: number;
  readonly from?: number;
}

/** A pipeline that passes every JSON value on; with a delay it calls out for each. */
export function pipelineFile(body = "{ name: 'pass' }"): { path: string; remove(): void } {
  const folder = temporaryFolder();
  const path = join(folder.path, 'pipeline.mjs');
  writeFileSync(path, `export default ${body};\n`);
  return { path, remove: () => folder.remove() };
}

export interface KafkaConservation {
  readonly balanced: boolean;
  readonly sources: {
    readonly kafka: {
      readonly accepted: number;
      readonly acknowledged: number;
      readonly deadLettered: number;
      readonly discarded: number;
    };
  };
}

export interface AdminDocument {
  readonly conservation: KafkaConservation;
  readonly stages: readonly {
    readonly stage: string;
    readonly credits: { readonly outstanding: number };
  }[];
}

export async function getJson<T>(service: Service, path: string): Promise<T> {
  const answer = await fetch(`${service.url}${path}`);
  return (await answer.json()) as T;
}

/** The books of a topic's partitions, in their order. */
export async function lowsOf(books: Pool, topic: string): Promise<number[]> {
  const { rows } = await books.query<{ low: string }>(
    `SELECT low FROM kafka_watermark JOIN kafka_source USING (source)
     WHERE topic = $1 ORDER BY incarnation DESC, partition`,
    [topic],
  );
  return rows.map(({ low }) => Number(low));
}

/** Waits until the books have reached the topic's present end. */
export async function untilBooked(
  kafka: TestKafka,
  books: Pool,
  { topic, deadlineMs = 60_000 }: { readonly topic: string; readonly deadlineMs?: number },
): Promise<void> {
  const ends = await endsOf(kafka, topic);
  let lows: number[] = [];
  const isThere = async (): Promise<boolean> => {
    lows = await lowsOf(books, topic);
    return lows.length === ends.length && lows.every((low, i) => low >= ends[i]!);
  };
  const what = `the books of ${topic} to reach ${ends.join()}`;
  await until(isThere, { deadlineMs, what }).catch((error: unknown) => {
    throw new Error(`${String(error)} (they are at ${lows.join()})`);
  });
}

export async function endsOf(kafka: TestKafka, topic: string): Promise<number[]> {
  const offsets = await kafka.admin.fetchTopicOffsets(topic);
  return offsets.toSorted((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
}

/** Looks all the time whether an offset of the group is ahead of the books; `stop` tells what it saw. */
export function watchCommits(
  kafka: TestKafka,
  books: Pool,
  { topic, groupId }: { readonly topic: string; readonly groupId: string },
): { stop(): Promise<{ looks: number; ahead: string[] }> } {
  let isOn = true;
  const seen = { looks: 0, ahead: [] as string[] };
  const watching = (async (): Promise<void> => {
    while (isOn) {
      // The books second: they only grow.
      const committed = await kafka.committed(groupId, topic);
      const lows = await lowsOf(books, topic);
      seen.looks += 1;
      committed.forEach((offset, i) => {
        if (lows[i] !== undefined && offset > lows[i])
          seen.ahead.push(`${i}: ${offset}>${lows[i]}`);
      });
    }
  })();
  return {
    async stop() {
      isOn = false;
      await watching;
      return seen;
    },
  };
}

/** The runs of each partition as `first-last`, joined where they touch; an overlap or a hole shows. */
export async function runsOf(books: Pool, topic: string): Promise<string[]> {
  const { rows } = await books.query<{ partition: number; first: string; last: string }>(
    `SELECT partition, first_offset AS first, last_offset AS last FROM acknowledgment_range
     JOIN kafka_source USING (source) WHERE topic = $1 ORDER BY partition, first_offset`,
    [topic],
  );
  const runs: { partition: number; first: number; last: number }[] = [];
  for (const row of rows) {
    const before = runs.at(-1);
    const [first, last] = [Number(row.first), Number(row.last)];
    if (before?.partition === row.partition && before.last + 1 === first) before.last = last;
    else runs.push({ partition: row.partition, first, last });
  }
  return runs.map(({ partition, first, last }) => `${partition}:${first}-${last}`);
}

/** The sink takes a table that is there as it is; the extra column shows the order of deliveries. */
export async function makeDeliveredTable(books: Pool): Promise<void> {
  await books.query(`CREATE TABLE delivered (record_id text PRIMARY KEY, key text, payload jsonb NOT NULL,
    headers jsonb, partition integer NOT NULL, accepted_at timestamptz NOT NULL,
    delivered_at timestamptz NOT NULL DEFAULT now(), sequence bigint GENERATED ALWAYS AS IDENTITY)`);
}

/** Every record of the topic has one row, and those of a key came in their order. */
export async function expectDeliveredOnceInOrder(
  books: Pool,
  { topic, ends }: { readonly topic: string; readonly ends: readonly number[] },
): Promise<void> {
  const { rows } = await books.query<{ id: string; key: string | null; number: number }>(
    `SELECT record_id AS id, key, (payload->>'number')::int AS number FROM delivered
     WHERE starts_with(record_id, $1) ORDER BY sequence`,
    [`${topic}:`],
  );
  const missing = ends.flatMap((end, partition) =>
    Array.from({ length: end }, (_, offset) => `${topic}:${partition}:${offset}`),
  );
  const ids = new Set(rows.map(({ id }) => id));
  expect(missing.filter((id) => !ids.has(id))).toEqual([]);
  expect(rows).toHaveLength(missing.length);
  const last = new Map<string, number>();
  const late = rows.filter(({ key, number }) => {
    if (key === null) return false;
    const before = last.get(key) ?? -1;
    last.set(key, number);
    return number <= before;
  });
  expect(late).toEqual([]);
}
