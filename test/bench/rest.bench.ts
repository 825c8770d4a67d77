import type { Bench, Figures, Report, Section } from './bench.js';
import { Child } from './child.js';
import type { LoadOrder, LoadResult } from './load.order.js';
import { cpuSeconds, machineCpuSeconds } from './rest/cpu.js';
import { type BenchDatabase, startDatabase } from './rest/database.js';
import { batchBodies, singleBodies } from './rest/orders.js';
import { type RestServer, startPenstock, startRoute } from './rest/variants.js';
import { alternate, type Comparison, section } from './rounds.js';

const ROUNDS = 3;
const DURATION_MS = 3000;
/** Long enough for the code of our service to be compiled and for its pools to be at their size. */
const WARM_UP_MS = 12_000;
const CONNECTIONS = 64;
const BATCH_CONNECTIONS = 4;
const BATCH_LINES = 1000;
const US_PER_SECOND = 1e6;

type Work = Omit<LoadOrder, 'url' | 'durationMs'>;
type Progress = (line: string) => void;
type LoadChild = Child<LoadOrder, LoadResult>;

/** Durable accept over HTTP beside the same route without a database, bare Fastify, and an insert a request. */
export const restBench: Bench = {
  name: 'rest',
  async run(progress): Promise<Report> {
    const database = await startDatabase();
    const load: LoadChild = Child.start(new URL('./load.js', import.meta.url));
    const servers: RestServer[] = [];
    try {
      const described = await database.describe();
      servers.push(await startPenstock(database));
      servers.push(await startRoute('no database', 'nest'));
      servers.push(await startRoute('bare Fastify', 'bare'));
      servers.push(await startRoute('insert a request', 'nest', database));
      const sections = [];
      for (const [title, work] of Object.entries(works())) {
        const measured = new Measured(load, database, work);
        sections.push(await measured.section(title, servers, progress));
      }
      const settings = {
        ROUNDS,
        DURATION_MS,
        WARM_UP_MS,
        CONNECTIONS,
        BATCH_CONNECTIONS,
        BATCH_LINES,
      };
      return { sections, settings: { ...settings, database: described } };
    } finally {
      for (const server of servers) await server.stop();
      await load.stop();
      await database.stop();
    }
  },
};

function works(): Readonly<Record<string, Work>> {
  return {
    [`Single records, ${CONNECTIONS} connections`]: {
      path: '/v1/records',
      contentType: 'application/json',
      bodies: singleBodies(),
      connections: CONNECTIONS,
    },
    [`NDJSON, ${BATCH_LINES} lines a request, ${BATCH_CONNECTIONS} connections`]: {
      path: '/v1/records:batch',
      contentType: 'application/x-ndjson',
      bodies: batchBodies(BATCH_LINES),
      connections: BATCH_CONNECTIONS,
    },
  };
}

const COMPARISONS: readonly Comparison[] = ['insert a request', 'no database', 'bare Fastify'].map(
  (to) => ({ figure: 'recordsPerSecond', of: 'penstock', to, as: 'ratio' }),
);

/** One kind of load on all servers. */
class Measured {
  constructor(
    private readonly load: LoadChild,
    private readonly database: BenchDatabase,
    private readonly work: Work,
  ) {}

  async section(
    title: string,
    servers: readonly RestServer[],
    progress: Progress,
  ): Promise<Section> {
    const variants = servers.map((server) => ({
      name: server.name,
      run: (isWarmUp: boolean) =>
        this.measure(server, isWarmUp ? WARM_UP_MS : DURATION_MS, progress),
    }));
    const runs = await alternate(variants, {
      rounds: ROUNDS,
      progress: (line) => progress(`${title}, ${line}`),
    });
    return section(title, runs, COMPARISONS);
  }

  private async measure(
    server: RestServer,
    durationMs: number,
    progress: Progress,
  ): Promise<Figures> {
    const before = this.cpu(server);
    const result = await this.load.ask({ ...this.work, url: server.url, durationMs });
    const used = this.cpuSince(server, before);
    const endedMs = performance.now();
    await server.settled?.();
    const settledMs = performance.now() - endedMs;
    const { accepted, refused, elapsedMs, requests, statuses, p50Ms, p99Ms, cpuMs } = result;
    const others = Object.entries(statuses).filter(([status]) => status !== '202');
    if (others.length > 0) progress(`${server.name} answered ${JSON.stringify(statuses)}`);
    const ofOurs = used.server + used.postgres + cpuMs / 1000;
    return {
      recordsPerSecond: (accepted * 1000) / elapsedMs,
      p50Ms,
      p99Ms,
      serverUs: (used.server * US_PER_SECOND) / accepted,
      postgresUs: (used.postgres * US_PER_SECOND) / accepted,
      loadUs: (cpuMs * 1000) / accepted,
      otherAnswers: others.reduce((sum, [, count]) => sum + count, 0) / requests,
      refusedRatio: refused / (accepted + refused),
      othersCores: ((used.machine - ofOurs) * 1000) / elapsedMs,
      ...(server.settled === undefined ? {} : { settledMs }),
    };
  }

  private cpu(server: RestServer): Cpu {
    return {
      server: cpuSeconds(server.pid),
      postgres: cpuSeconds(this.database.pid),
      machine: machineCpuSeconds(),
    };
  }

  private cpuSince(server: RestServer, before: Cpu): Cpu {
    const now = this.cpu(server);
    return {
      server: now.server - before.server,
      postgres: now.postgres - before.postgres,
      machine: now.machine - before.machine,
    };
  }
}

/** CPU seconds so far. */
interface Cpu {
  readonly server: number;
  readonly postgres: number;
  readonly machine: number;
}
