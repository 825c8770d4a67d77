import { readFileSync } from 'node:fs';
import { Client } from 'pg';
import { STAGE_IDS, type StageId } from '../../src/pipeline/stage.js';
import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type Service, startService } from '../support/service.js';
import { smallBuffers } from '../support/small-buffers.js';
import { until } from '../support/until.js';

const CREDITS = 40;
const KEYS = 8;

interface PipelineDocument {
  stages: { stage: StageId; credits: { capacity: number; limit: number; outstanding: number } }[];
  level: string;
  bottleneck: { stage: StageId } | null;
  conservation: { accepted: number; inFlight: number; balanced: boolean };
}

/** Posts batches, without a pause, until told to stop; keeps what the service answered. */
class Load {
  readonly accepted = new Map<string, { key: string; sequence: number }>();
  readonly refusals: Record<string, unknown>[] = [];
  readonly unexpected: unknown[] = [];
  private readonly sequences = new Map<string, number>();
  private isOn = true;

  constructor(private readonly url: string) {}

  /** One key at a time: the next record of a key is sent when the one before was answered. */
  async run(key: string): Promise<void> {
    while (this.isOn) {
      const sequence = (this.sequences.get(key) ?? 0) + 1;
      this.sequences.set(key, sequence);
      await this.post(Array.from({ length: 5 }, (_, i) => ({ key, sequence: sequence * 10 + i })));
    }
  }

  stop(): void {
    this.isOn = false;
  }

  private async post(records: { key: string; sequence: number }[]): Promise<void> {
    const answer = await fetch(`${this.url}/v1/records:batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(records.map((each) => ({ payload: order(each.key, each.sequence) }))),
    });
    const body = (await answer.json()) as { results?: Record<string, unknown>[] };
    if (answer.status !== 202 && answer.status !== 429) this.unexpected.push(answer.status, body);
    for (const result of body.results ?? []) this.note(result, records[Number(result['index'])]!);
    if (answer.status === 429) this.refusals.push(body);
  }

  private note(result: Record<string, unknown>, sent: { key: string; sequence: number }): void {
    if (typeof result['id'] === 'string') this.accepted.set(result['id'], sent);
    else this.refusals.push(result['problem'] as Record<string, unknown>);
  }
}

/** The stages in the order since when their credits have been spent, without a break, once that holds for all. */
async function watchCredits(
  service: Service,
  isOver: (spent: readonly StageId[]) => boolean,
): Promise<StageId[]> {
  let order: StageId[] = [];
  while (order.length < STAGE_IDS.length && !isOver(order)) {
    const { stages } = await pipelineOf(service);
    const spent = stages
      .filter(({ credits }) => credits.outstanding >= credits.limit)
      .map(({ stage }) => stage);
    order = order.filter((stage) => spent.includes(stage));
    // Downstream first among those seen in the same look: a pool can't fill before the one it feeds.
    for (const stage of spent.toReversed()) if (!order.includes(stage)) order.push(stage);
  }
  return order;
}

async function pipelineOf(service: Service): Promise<PipelineDocument> {
  const answer = await fetch(`${service.url}/v1/admin/pipeline`);
  return (await answer.json()) as PipelineDocument;
}

function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

describe('A stuck sink', () => {
  let database: TestDatabase;
  let service: Service;
  let client: Client;
  let load: Load;
  const runs: Promise<void>[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    client = new Client({ connectionString: database.url });
    await client.connect();
    // The sink takes a table that is there as it is; the extra column shows the order of first deliveries.
    await client.query(`CREATE TABLE delivered (record_id text PRIMARY KEY, key text, payload jsonb NOT NULL,
      headers jsonb, partition integer NOT NULL, accepted_at timestamptz NOT NULL,
      delivered_at timestamptz NOT NULL DEFAULT now(), sequence bigint GENERATED ALWAYS AS IDENTITY)`);
    const env = Object.fromEntries(
      Object.entries(smallBuffers(CREDITS)).map(([name, value]) => [name, String(value)]),
    );
    service = await startService({ env: { ...env, DATABASE_URL: database.url } });
    load = new Load(service.url);
  });

  afterAll(async () => {
    load?.stop();
    await client?.end(); // Unlocks the table.
    await Promise.allSettled(runs);
    await service?.stop();
    await database?.drop();
  });

  const refused = async (more: number): Promise<void> => {
    const before = load.refusals.length;
    await until(() => load.refusals.length >= before + more, {
      deadlineMs: 60_000,
      what: `${more} more refusals`,
    });
  };

  it('spends the credits from the sink to the gateway, refuses with a reason, and loses nothing', async () => {
    await client.query('BEGIN');
    await client.query('LOCK TABLE delivered IN ACCESS EXCLUSIVE MODE');

    // A trickle first, so that no burst fills a pool before the one that it feeds.
    runs.push(load.run('customer-0'));
    let isOver = false;
    const deadline = setTimeout(() => {
      isOver = true;
    }, 30_000);
    const spent = await watchCredits(service, (spentNow) => {
      if (spentNow.length === 3 && runs.length === 1) {
        for (let i = 1; i < KEYS * 4; i += 1) runs.push(load.run(`customer-${i}`));
      }
      return isOver;
    });
    clearTimeout(deadline);
    expect(spent).toEqual(STAGE_IDS.toReversed());

    await refused(500); // The young generation has its size by then.
    const before = residentBytes(service.pid);
    await refused(2000);
    expect(residentBytes(service.pid) - before).toBeLessThan(64 * 1024 * 1024);
    const status = await until(
      async () => {
        const document = await pipelineOf(service);
        return document.level === 'critical' ? document : undefined;
      },
      { deadlineMs: 30_000, what: 'the pressure is critical' },
    );
    expect(status.bottleneck?.stage).toBe('FinalSink');
    const refusal = load.refusals.at(-1)!;
    for (const { credits } of status.stages) {
      expect(credits.outstanding).toBeLessThanOrEqual(credits.capacity);
    }

    await client.query('COMMIT');
    load.stop();
    await Promise.all(runs);
    const drained = await until(
      async () => {
        const document = await pipelineOf(service);
        return document.conservation.inFlight === 0 ? document : undefined;
      },
      { deadlineMs: 60_000, what: 'everything accepted is terminal' },
    );

    expect(load.unexpected).toEqual([]);
    expect(drained.conservation.accepted).toBe(load.accepted.size);
    expect(drained.conservation.balanced).toBe(true);
    expect(drained.stages.map(({ credits }) => credits.outstanding)).toEqual([0, 0, 0, 0, 0]);
    await expectDeliveredOnceInOrder(client, load);

    expect(refusal).toMatchObject({ status: 429, stage: 'FinalSink' });
    expect(refusal['signal']).toEqual(expect.any(String));
    expect(refusal['retryAfterMs']).toBeGreaterThanOrEqual(1000);
  });
});

async function expectDeliveredOnceInOrder(client: Client, load: Load): Promise<void> {
  const { rows } = await client.query<{ record_id: string; key: string }>(
    'SELECT record_id, key FROM delivered ORDER BY sequence',
  );
  expect(rows.map((row) => row.record_id).toSorted()).toEqual([...load.accepted.keys()].toSorted());
  const last = new Map<string, number>();
  for (const { record_id: id, key } of rows) {
    const { sequence } = load.accepted.get(id)!;
    expect(sequence).toBeGreaterThan(last.get(key) ?? 0);
    last.set(key, sequence);
  }
}
