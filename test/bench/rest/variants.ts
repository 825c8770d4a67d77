import { startService } from '../../support/service.js';
import { until } from '../../support/until.js';
import { Child } from '../child.js';
import type { ServerAnswer, ServerQuestion } from '../servers/question.js';
import type { BenchDatabase } from './database.js';

/** One of the servers side by side. */
export interface RestServer {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Resolves when everything it has accepted has reached its end; absent: nothing goes on behind its answers. */
  settled?(): Promise<void>;
  stop(): Promise<void>;
}

const SETTLED_WITHIN_MS = 60_000;

/** Our service, as it is built, on the bench's database. */
export async function startPenstock({ url: databaseUrl }: BenchDatabase): Promise<RestServer> {
  const service = await startService({
    env: { DATABASE_URL: databaseUrl, GATEWAY_MAX_REQUESTS_PER_SECOND: '0', LOG_LEVEL: 'warn' },
  });
  const { url, pid } = service;
  return {
    name: 'penstock',
    url,
    pid,
    settled: () => whenSettled(url),
    async stop() {
      await service.stop();
      const output = service.output().trim();
      if (output !== '') console.error(`The service has printed:\n${output}`);
    },
  };
}

export async function startRoute(
  name: string,
  module: 'bare' | 'nest',
  database?: BenchDatabase,
): Promise<RestServer> {
  const url = new URL(`../servers/${module}.server.js`, import.meta.url);
  const child: Child<ServerQuestion, ServerAnswer> = Child.start(url);
  const listening = await child.ask({
    kind: 'listen',
    ...(database === undefined ? {} : { databaseUrl: database.url }),
  });
  return { name, url: listening.url, pid: child.pid, stop: () => child.stop() };
}

async function whenSettled(url: string): Promise<void> {
  await until(
    async () => {
      const answer = await fetch(`${url}/v1/admin/pipeline`);
      // Null while the books can't be read.
      const status = (await answer.json()) as { conservation: { inFlight: number } | null };
      return status.conservation?.inFlight === 0;
    },
    { deadlineMs: SETTLED_WITHIN_MS, what: 'everything accepted is acknowledged' },
  );
}
