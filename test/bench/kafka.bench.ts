import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../support/until.js';
import type { Bench, Figures, Report } from './bench.js';
import { BenchCluster } from './kafka/cluster.js';
import { type Job, PARTITIONS, TOPICS } from './kafka/job.js';
import { createRunDatabase, type RunDatabase } from './kafka/run-database.js';
import { type KafkaVariant, type Running, VARIANTS } from './kafka/variants.js';
import { cpuSeconds, machineCpuSeconds } from './rest/cpu.js';
import { type BenchDatabase, startDatabase } from './rest/database.js';
import { alternate, type Comparison, section } from './rounds.js';

const ROUNDS = 3;
/** Of each input topic: stock Nest is slow. */
const RECORDS: Readonly<Record<string, number>> = { [TOPICS.many]: 200_000, [TOPICS.few]: 2_000 };
/** A look costs the broker three requests. */
const LOOK_EVERY_MS = 20;
const DONE_WITHIN_MS = 120_000;
const US_PER_SECOND = 1e6;

/** Topic → five stages → ledger → topic, beside a loop written by hand and Nest's own Kafka transport. */
export const kafkaBench: Bench = {
  name: 'kafka',
  async run(progress): Promise<Report> {
    const database = await startDatabase();
    const cluster = await BenchCluster.start();
    try {
      const described = await database.describe();
      for (const [topic, count] of Object.entries(RECORDS)) await cluster.fill(topic, count);
      const measured = new Measured(cluster, database);
      const variants = VARIANTS.map((variant) => ({
        name: variant.name,
        run: () => measured.run(variant),
      }));
      const runs = await alternate(variants, { rounds: ROUNDS, progress });
      const title = `Topic to topic, ${PARTITIONS} partitions`;
      const settings = { ROUNDS, RECORDS, PARTITIONS, database: described };
      return { sections: [section(title, runs, COMPARISONS)], settings };
    } finally {
      await cluster.stop();
      await database.stop();
    }
  },
};

const COMPARISONS: readonly Comparison[] = ['recordsPerSecond', 'variantUs', 'allUs'].flatMap(
  (figure) =>
    ['penstock', 'penstock, high-throughput'].flatMap((of) =>
      ['plain loop', 'stock Nest'].map((to) => ({ figure, of, to, as: 'ratio' as const })),
    ),
);

/** One run of one variant: a group, an output topic and a database of its own. */
class Measured {
  private runs = 0;

  constructor(
    private readonly cluster: BenchCluster,
    private readonly database: BenchDatabase,
  ) {}

  async run(variant: KafkaVariant): Promise<Figures> {
    this.runs += 1;
    const name = `run_${this.runs}`;
    const books = await createRunDatabase(this.database.url, name);
    const job: Job = {
      brokers: this.cluster.brokers,
      groupId: name,
      inputTopic: variant.inputTopic,
      outputTopic: name,
      databaseUrl: books.url,
    };
    await this.cluster.createTopic(name);
    const running = await variant.start(job);
    try {
      return await this.measure(variant, { job, running, books });
    } finally {
      await running.stop();
      await books.drop();
      await this.cluster.deleteTopic(name);
    }
  }

  private async measure({ ledger }: KafkaVariant, { job, running, books }: Started) {
    const count = RECORDS[job.inputTopic]!;
    const within = { deadlineMs: DONE_WITHIN_MS };
    const written = async (): Promise<number> => {
      await pause(LOOK_EVERY_MS);
      return this.cluster.count(job.outputTopic);
    };
    const seen = async (): Promise<number | undefined> => (await written()) || undefined;
    const first = await until(seen, { ...within, what: 'the first record' });
    const [startMs, before] = [performance.now(), this.cpu(running.pid)];
    const isDone = async (): Promise<boolean> =>
      (await written()) >= count && (await books.number(ledger)) >= count;
    await until(isDone, { ...within, what: 'the last record' });
    const elapsedMs = performance.now() - startMs;
    const now = this.cpu(running.pid);
    await this.check({ job, running, books }, { ledger, count });
    const used = (of: keyof Cpu): number => now[of] - before[of];
    const usOf = (seconds: number): number => (seconds * US_PER_SECOND) / (count - first);
    const ofOurs = used('variant') + used('postgres') + used('broker') + used('bench');
    return {
      recordsPerSecond: ((count - first) * 1000) / elapsedMs,
      variantUs: usOf(used('variant')),
      brokerUs: usOf(used('broker')),
      postgresUs: usOf(used('postgres')),
      allUs: usOf(used('variant') + used('broker') + used('postgres')),
      variantCores: (used('variant') * 1000) / elapsedMs,
      othersCores: ((used('machine') - ofOurs) * 1000) / elapsedMs,
    };
  }

  private async check({ job, running, books }: Started, expected: Expected): Promise<void> {
    const found = await Promise.all([
      this.cluster.count(job.outputTopic),
      books.number(expected.ledger),
    ]);
    if (found.some((number) => number !== expected.count)) {
      throw new Error(`${expected.count} records went in; topic and ledger have ${found.join()}.`);
    }
    await running.check?.(expected.count);
  }

  private cpu(pid: number): Cpu {
    return {
      variant: cpuSeconds(pid),
      broker: cpuSeconds(this.cluster.pid),
      postgres: cpuSeconds(this.database.pid),
      bench: process.cpuUsage().user / US_PER_SECOND + process.cpuUsage().system / US_PER_SECOND,
      machine: machineCpuSeconds(),
    };
  }
}

interface Started {
  readonly job: Job;
  readonly running: Running;
  readonly books: RunDatabase;
}

interface Expected {
  readonly ledger: string;
  readonly count: number;
}

/** CPU seconds so far. */
type Cpu = Readonly<Record<'variant' | 'broker' | 'postgres' | 'bench' | 'machine', number>>;
