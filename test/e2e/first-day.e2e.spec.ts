import type { DestinationNews } from '../../src/admin/destination-news.js';
import { EventListener } from '../support/event-listener.js';
import { getJson, pipelineFile } from '../support/kafka-flow.js';
import { testBrokers, TestKafka, uniqueName } from '../support/kafka.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { type ReceivedRequest, ScriptedReceiver } from '../support/scripted-receiver.js';
import { type Service, startService } from '../support/service.js';
import { smallBuffers } from '../support/small-buffers.js';
import { until } from '../support/until.js';

const LONG_MS = 120_000;
const KEYS = 5;
const PARTITIONS = 3;
const CREDITS = 20;
const SETTINGS = {
  ...smallBuffers(CREDITS),
  // Three failures of ten never use up the attempts of one record.
  FINAL_SINK_MAX_RETRIES: 12,
  FINAL_SINK_BREAKER_OPEN_MS: 100,
  FINAL_SINK_BREAKER_MAX_OPEN_MS: 400,
  MONITORING_INTERVAL_MS: 200,
};

interface Item {
  readonly key: string;
  readonly number: number;
  readonly isPoison?: true;
}

interface SinkDocument {
  readonly state: string;
  readonly guard: {
    readonly breaker: { readonly state: string; readonly opened: number };
    readonly budget: { readonly refused: number };
  };
}

interface PipelineDocument {
  readonly level: string;
  readonly inFlight: number;
  readonly bottleneck: { readonly stage: string } | null;
}

interface HealthDocument {
  readonly status: string;
  readonly details: {
    readonly pipeline: { readonly level: string };
    readonly 'sink-callback': { readonly status: string; readonly breaker: string };
  };
}

interface Sources {
  readonly name: string;
  readonly partitions?: readonly {
    readonly lagRecords: number;
    readonly pausedFor: readonly string[];
  }[];
}

jest.setTimeout(300_000);

/** The steps build on each other, as the day does. */
describe('The first day: REST and Kafka in, a callback receiver that fails, goes away and comes back', () => {
  const pipeline = pipelineFile(`{ name: 'shop', key: (item) => item.key }`);
  /** What the service has promised to deliver, by id. */
  const accepted = new Map<string, Item>();
  const delivered: string[] = [];
  const numbers = new Map<string, number>();
  let kafka: TestKafka;
  let database: TestDatabase;
  let receiver: ScriptedReceiver;
  let service: Service;
  let events: EventListener;
  let topic = '';

  const numberOf = (key: string): number => {
    const number = (numbers.get(key) ?? 0) + 1;
    numbers.set(key, number);
    return number;
  };
  const restKeys = Array.from({ length: KEYS }, (_, i) => `rest-${i}`);
  const admin = <T>(path: string): Promise<T> => getJson<T>(service, `/v1/admin/${path}`);
  const sink = async (): Promise<SinkDocument> => (await admin<[SinkDocument]>('sinks'))[0];
  const health = (): Promise<HealthDocument> => getJson(service, '/health');
  const partitionsOfKafka = async () =>
    (await admin<Sources[]>('sources')).find(({ name }) => name === 'kafka')?.partitions ?? [];
  const letters = async () =>
    (
      await admin<{ deadLetters: { id: string; recordId: string; reason: string }[] }>(
        'dead-letters?state=waiting',
      )
    ).deadLetters;

  /** Status of the answer to one record; what was accepted is noted, what was not says why. */
  const post = async (item: Item): Promise<{ status: number; body: Record<string, unknown> }> => {
    const answer = await fetch(`${service.url}/v1/records`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ payload: item }),
    });
    const body = (await answer.json()) as Record<string, unknown>;
    if (answer.status === 202) accepted.set(String(body['id']), item);
    return { status: answer.status, body };
  };
  /** Posts one record after the other until `count` of them are accepted; a refusal means: again. */
  const postAccepted = async (key: string, count: number): Promise<void> => {
    for (let done = 0; done < count;) {
      const { status } = await post({ key, number: numberOf(key) });
      expect([202, 429]).toContain(status);
      if (status === 202) done += 1;
    }
  };
  /** Posts one record after the other until one is refused, and returns the refusal. */
  const postUntilRefused = async (key: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const { status, body } = await post({ key, number: numberOf(key) });
      if (status !== 202) return { ...body, status };
    }
  };
  const produce = async (count: number): Promise<void> => {
    const items = Array.from({ length: count }, (_, i): Item => {
      const key = `kafka-${i % KEYS}`;
      return { key, number: numberOf(key) };
    });
    const ends = await kafka.admin.fetchTopicOffsets(topic);
    const next = new Map(ends.map(({ partition, high }) => [partition, Number(high)]));
    const messages = items.map((item) => {
      const partition = Number(item.key.at(-1)) % PARTITIONS;
      const offset = next.get(partition) ?? 0;
      next.set(partition, offset + 1);
      accepted.set(`${topic}:${partition}:${offset}`, item);
      return { partition, key: item.key, value: JSON.stringify(item) };
    });
    await kafka.produce(topic, messages);
  };
  const allDelivered = () =>
    until(
      async () => {
        const { inFlight } = await admin<PipelineDocument>('pipeline');
        const lags = (await partitionsOfKafka()).map(({ lagRecords }) => lagRecords);
        return (
          inFlight === 0 &&
          new Set(delivered).size >= accepted.size &&
          lags.every((lag) => lag === 0)
        );
      },
      { deadlineMs: LONG_MS, what: 'everything accepted to be delivered' },
    );
  /** Value of a series, named as in the text; labels in their order. */
  const metric = async (series: string): Promise<number> => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    const line = text.split('\n').find((each) => each.startsWith(`${series} `));
    if (line === undefined) throw new Error(`There is no series ${series}.`);
    return Number(line.slice(series.length + 1));
  };
  const failedAttempts = (outcome: string): Promise<number> =>
    metric(
      `pipeline_destination_failed_attempts_total{destination="callback",outcome="${outcome}"}`,
    );
  const answerAll = (
    isFailed: (request: ReceivedRequest, index: number) => number | false,
  ): void => {
    receiver.answer = (request, index) => {
      const status = isFailed(request, index);
      if (status !== false) return { status };
      delivered.push(String(request.headers['webhook-id']));
      return { status: 204 };
    };
  };

  beforeAll(async () => {
    [kafka, database, receiver] = await Promise.all([
      TestKafka.connect(),
      createTestDatabase(),
      ScriptedReceiver.start(),
    ]);
    topic = await kafka.createTopic(PARTITIONS);
    service = await startService({
      env: {
        ...Object.fromEntries(Object.entries(SETTINGS).map(([name, value]) => [name, `${value}`])),
        DATABASE_URL: database.url,
        PIPELINE_MODULE: pipeline.path,
        KAFKA_BROKERS: testBrokers().join(),
        KAFKA_GROUP_ID: uniqueName('group'),
        KAFKA_INPUT_TOPICS: topic,
        KAFKA_PROFILE: 'low-latency',
        SINKS: 'callback',
        CALLBACK_URL: `${receiver.url}/hook`,
        CALLBACK_SECRET: `whsec_${Buffer.alloc(32, 'd').toString('base64')}`,
      },
    });
    events = await EventListener.listen(`${service.url}/v1/admin/events`);
  });
  afterAll(async () => {
    events?.leave();
    await service?.stop();
    await Promise.all([kafka?.close(), database?.drop(), receiver?.stop()]);
    pipeline.remove();
  });

  const ofCallback = (): DestinationNews[] =>
    events.named('destination').filter(({ name }) => name === 'callback') as never;

  it('30 % of the deliveries fail: they are sent again within the budget, each key in its order (DG4, CS1)', async () => {
    let failed = 0;
    answerAll((_, index) => {
      if (index % 10 >= 3) return false;
      failed += 1;
      return 500;
    });
    const load = Promise.all([...restKeys.map((key) => postAccepted(key, 8)), produce(KEYS * 8)]);
    const budget = 'pipeline_destination_retry_budget{destination="callback"}';
    await until(async () => (await metric(budget)) < 30, { what: 'retries to take of the budget' });
    await load;
    await allDelivered();

    expect(failed).toBeGreaterThan(KEYS * 8 * 0.3);
    expect(await failedAttempts('retried')).toBe(failed);
    expect(
      await metric('pipeline_destination_calls_total{destination="callback",outcome="retryable"}'),
    ).toBe(failed);
    expect(await sink()).toMatchObject({
      state: 'ready',
      guard: { breaker: { state: 'closed', opened: 0 }, budget: { refused: 0 } },
    });
    expect(await letters()).toEqual([]);
    await until(() => ofCallback().some(({ failedAttempts }) => failedAttempts['retried']), {
      what: 'an event of retries',
    });
    expectOrder(receiver.requests);
  });

  it('the receiver is away: the breaker opens, callers get 429, Kafka is paused, and nothing dies (DG1, DG4)', async () => {
    answerAll(() => false);
    const retried = await failedAttempts('retried');
    await receiver.goAway();
    await produce(KEYS * 60);
    const refusals = await Promise.all(restKeys.map((key) => postUntilRefused(key)));
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({
        status: 429,
        stage: expect.any(String),
        signal: expect.any(String),
      });
    }
    // As two minutes of a day: the breaker has probed in vain, again and again.
    await until(async () => (await sink()).guard.breaker.opened >= 4, {
      what: 'the breaker to have opened again and again',
    });
    await until(
      async () => (await partitionsOfKafka()).every(({ pausedFor }) => pausedFor.length > 0),
      { what: 'all partitions to be paused' },
    );
    await until(
      async () => {
        const { bottleneck, level } = await admin<PipelineDocument>('pipeline');
        return bottleneck?.stage === 'FinalSink' && level !== 'healthy';
      },
      { what: 'the sink to be named as the bottleneck' },
    );

    expect(await sink()).toMatchObject({ state: 'away' });
    expect(await health()).toMatchObject({
      status: 'degraded',
      details: {
        pipeline: { level: expect.stringMatching(/PRESSURE$/) },
        'sink-callback': { status: 'degraded' },
      },
    });
    expect((await fetch(`${service.url}/health/ready`)).status).toBe(200);
    expect(await metric('pipeline_destination_ready{destination="callback"}')).toBe(0);
    expect(await metric('pipeline_bottleneck{stage="FinalSink"}')).toBe(1);
    expect(await metric('pipeline_kafka_paused_partitions')).toBe(PARTITIONS);
    expect(await failedAttempts('held-outage')).toBeGreaterThan(0);
    expect(await failedAttempts('retried')).toBe(retried);
    expect(await letters()).toEqual([]);
    await until(() => events.named('level').some(({ to }) => to !== 'healthy'), {
      what: 'an event of the pressure',
    });
    await until(() => events.named('trigger').some(({ stage }) => stage === 'FinalSink'), {
      what: 'an event of the trigger',
    });
    // They are told once a second, and the breaker may be probing just then.
    await until(() => ofCallback().some(({ breaker }) => breaker === 'open'), {
      what: 'an event of the open breaker',
    });
  });

  it('the receiver comes back: everything drains, each record once and each key in its order (FS2)', async () => {
    await receiver.comeBack();
    await allDelivered();
    await until(async () => (await admin<PipelineDocument>('pipeline')).level === 'healthy', {
      what: 'the pressure to go',
    });

    expect(await sink()).toMatchObject({ state: 'ready', guard: { breaker: { state: 'closed' } } });
    expect(await health()).toMatchObject({
      status: 'ok',
      details: { pipeline: { level: 'HEALTHY' }, 'sink-callback': { breaker: 'closed' } },
    });
    expect(await metric('pipeline_destination_ready{destination="callback"}')).toBe(1);
    await until(async () => (await metric('pipeline_kafka_paused_partitions')) === 0, {
      what: 'Kafka to flow again',
    });
    await until(() => events.named('level').at(-1)?.['to'] === 'healthy', {
      what: 'the event of its end',
    });
    await until(() => ofCallback().at(-1)?.breaker === 'closed', {
      what: 'the event of the breaker that has closed',
    });
    expect(new Set(delivered)).toEqual(new Set(accepted.keys()));
    expect(await letters()).toEqual([]);
    expectOrder(receiver.requests);
  });

  it('one record is poison: a dead letter, then repaired at the receiver, sent again and acknowledged', async () => {
    answerAll(({ body }) => ((JSON.parse(body) as Item).isPoison ? 422 : false));
    const { body } = await post({ key: 'rest-0', number: numberOf('rest-0'), isPoison: true });
    const id = String(body['id']);
    await postAccepted('rest-0', 1);
    const [letter] = await until(
      async () => {
        const found = await letters();
        return found.length > 0 ? found : undefined;
      },
      { what: 'the dead letter' },
    );
    expect(letter).toMatchObject({ recordId: id, reason: 'rejected' });
    expect(await metric('pipeline_dead_letters{state="waiting"}')).toBe(1);
    expect(await failedAttempts('rejected')).toBe(1);

    answerAll(() => false);
    await fetch(`${service.url}/v1/admin/dead-letters/${letter?.id}/redrive`, { method: 'POST' });
    const isAcknowledged = async (): Promise<unknown> => {
      const record = await getJson<Record<string, unknown>>(service, `/v1/records/${id}`);
      return record['status'] === 'acknowledged' && record;
    };
    expect(await until(isAcknowledged, { what: 'its acknowledgment' })).toMatchObject({
      redrives: 1,
    });
    await allDelivered();
    expect(await letters()).toEqual([]);
    expect(await metric('pipeline_dead_letters_redriven_total')).toBe(1);
    const changes = events.named('dead-letters').map(({ change }) => change);
    expect(changes).toEqual(['added', 'redrive', 'redriven']);
  });

  it('in the end the books are balanced: nothing is lost, nothing is spurious, nothing waits', async () => {
    expect(new Set(delivered)).toEqual(new Set(accepted.keys()));
    expect(delivered).toHaveLength(accepted.size);
    expect(await admin('conservation')).toMatchObject({
      accepted: accepted.size,
      acknowledged: accepted.size,
      deadLettered: 0,
      discarded: 0,
      inFlight: 0,
      balanced: true,
    });
    const ids = Array.from(accepted.keys());
    for (const each of [ids[0], ids.at(-1)]) {
      expect(await getJson(service, `/v1/records/${each}`)).toMatchObject({
        status: 'acknowledged',
      });
    }
    expect(events.named('snapshot').at(-1)).toMatchObject({ state: 'running' });
  });
});

/** A record is repeated before the next one of its key is begun, and never after it. */
function expectOrder(requests: readonly ReceivedRequest[]): void {
  const last = new Map<string, number>();
  for (const { body } of requests) {
    const { key, number } = JSON.parse(body) as Item;
    expect([key, number >= (last.get(key) ?? 0)]).toEqual([key, true]);
    last.set(key, number);
  }
}
