import { ALL_METRICS } from '../../src/metrics/all-metrics.js';
import { STAGE_IDS } from '../../src/pipeline/stage-id.js';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import { order } from '../support/orders.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { ScriptedReceiver } from '../support/scripted-receiver.js';
import { type Service, startService } from '../support/service.js';
import { until } from '../support/until.js';

/** Of everything that Prometheus keeps for one replica with two sinks, a call, and Kafka in and out. */
const MOST_SERIES = 1000;
/** Words that a label may have at one metric. */
const MOST_WORDS = 14;
const OURS = /^(pipeline|penstock)_/;
const WORD = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const PARTITIONS = 2;

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

function seriesOf(text: string): Series[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name = '', inside = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    const labels = [...inside.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2]]);
    return { name, labels: Object.fromEntries(labels) as Record<string, string> };
  });
}

/** Whose series begin when something of their kind happens for the first time; all others are there from the start. */
const BY_EVENT = [
  'pipeline_request_seconds',
  'pipeline_admissions_rejected_total',
  'pipeline_triggers_total',
];

/** How many series of ours there are by metric, a histogram's together. */
function countsOf(series: readonly Series[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name } of series) {
    const metric = name.replace(/_(bucket|sum|count)$/, '');
    if (!OURS.test(metric)) continue;
    counts[metric] = (counts[metric] ?? 0) + 1;
  }
  return counts;
}

describe('A scrape of a service with two sinks, a call, and Kafka in and out', () => {
  let kafka: TestKafka;
  let database: TestDatabase;
  let receiver: ScriptedReceiver;
  let service: Service;
  let input: string;
  beforeAll(async () => {
    [kafka, database, receiver] = await Promise.all([
      TestKafka.connect(),
      createTestDatabase(),
      ScriptedReceiver.start(),
    ]);
    input = await kafka.createTopic(PARTITIONS);
    service = await startService({
      env: {
        DATABASE_URL: database.url,
        SINKS: 'postgres,kafka',
        EGRESS_URL: receiver.url,
        KAFKA_BROKERS: testBrokers().join(','),
        KAFKA_GROUP_ID: uniqueName('group'),
        KAFKA_INPUT_TOPICS: input,
        KAFKA_OUTPUT_TOPIC: await kafka.createTopic(PARTITIONS),
        GATEWAY_MAX_REQUESTS_PER_SECOND: '0',
      },
    });
  });
  afterAll(async () => {
    await service.stop();
    await Promise.all([receiver.stop(), kafka.close(), database.drop()]);
  });

  const scrape = async () => seriesOf(await (await fetch(`${service.url}/metrics`)).text());

  /** Records of callers that nobody has seen before, and requests of every kind. */
  async function load(round: number): Promise<void> {
    const headers = { 'content-type': 'application/json', 'penstock-tenant': `tenant-${round}` };
    const payloads = Array.from({ length: 20 }, (_, i) => order(`customer-${round}-${i}`, i));
    await kafka.produce(
      input,
      payloads.map((payload, i) => ({ key: `k-${round}-${i}`, value: JSON.stringify(payload) })),
    );
    for (const payload of payloads) {
      const body = JSON.stringify({ payload });
      const answer = await fetch(`${service.url}/v1/records`, { method: 'POST', headers, body });
      const { id } = (await answer.json()) as { id: string };
      await (await fetch(`${service.url}/v1/records/${id}`)).arrayBuffer();
    }
    const invalid = { method: 'POST', headers, body: '{}' };
    await (await fetch(`${service.url}/v1/records`, invalid)).arrayBuffer();
    await (await fetch(`${service.url}/nothing/${round}`)).arrayBuffer();
    await (await fetch(`${service.url}/health`)).arrayBuffer();
    const status = async () => (await fetch(`${service.url}/v1/admin/pipeline`)).json();
    await until(
      async () => {
        const { conservation } = (await status()) as { conservation: Record<string, number> };
        return conservation['inFlight'] === 0 && conservation['accepted'] === 40 * round;
      },
      { deadlineMs: 120_000, what: 'every record has ended' },
    );
    await scrape();
  }

  it('has as many series after any number of callers, and fewer than the bound', async () => {
    await load(1);
    const first = await scrape();
    await load(2);
    const second = await scrape();
    const steady = (series: readonly Series[]) =>
      Object.entries(countsOf(series)).filter(([name]) => !BY_EVENT.includes(name));
    expect(steady(second)).toEqual(steady(first));
    expect(second.length).toBeLessThan(MOST_SERIES);
    const defined = new Set<string>(ALL_METRICS.map(({ name }) => name));
    expect(Object.keys(countsOf(second)).filter((name) => !defined.has(name))).toEqual([]);
  });

  it('has only values of labels that are known beforehand', async () => {
    const values = new Map<string, Set<string>>();
    const closed: Readonly<Record<string, readonly string[]>> = {
      stage: [...STAGE_IDS, 'pipeline', 'process'],
      source: ['rest', 'kafka'],
      destination: ['egress', 'postgres', 'kafka'],
      status: ['2xx', '4xx', '5xx'],
      topic: [input],
      partition: Array.from({ length: PARTITIONS }, (_, i) => String(i)),
    };
    const answer = await fetch(`${service.url}/openapi.json`);
    const { paths } = (await answer.json()) as { paths: object };
    const routes = new Set(Object.keys(paths).map((path) => path.replaceAll(/\{(\w+)\}/g, ':$1')));
    for (const { name, labels } of await scrape()) {
      if (!OURS.test(name)) continue;
      for (const [label, value] of Object.entries(labels)) {
        if (label === 'le') continue;
        const isKnown =
          label === 'route'
            ? value === 'none' || routes.has(value)
            : (closed[label]?.includes(value) ?? WORD.test(value));
        expect([name, label, value, isKnown]).toEqual([name, label, value, true]);
        const seen = values.get(`${name} ${label}`) ?? new Set<string>();
        values.set(`${name} ${label}`, seen.add(value));
      }
    }
    const tooMany = [...values].filter(([, seen]) => seen.size > MOST_WORDS);
    expect(tooMany.map(([label, seen]) => [label, seen.size])).toEqual([]);
  });

  it('is of a service that shows operators the same sources and sinks', async () => {
    const get = async <T>(path: string): Promise<T> =>
      (await (await fetch(`${service.url}/v1/admin/${path}`)).json()) as T;
    expect(await get('sources')).toMatchObject([
      { name: 'rest' },
      { name: 'kafka', state: 'running', counters: { records: 40 } },
    ]);
    expect(await get('sinks')).toMatchObject([
      { name: 'postgres', state: 'ready', guard: { failedAttempts: { rejected: 0 } } },
      { name: 'kafka', state: 'ready', producer: { acknowledged: 80, failed: 0 } },
    ]);
  });
});
