import { fileURLToPath } from 'node:url';
import { startService } from '../../support/service.js';
import { Child } from '../child.js';
import { type Job, TOPICS } from './job.js';

/** A variant at work, as a process of its own. */
export interface Running {
  readonly pid: number;
  /** Throws when its books don't say that `count` records were acknowledged and nothing else happened. */
  check?(count: number): Promise<void>;
  stop(): Promise<void>;
}

export interface KafkaVariant {
  readonly name: string;
  readonly inputTopic: string;
  /** How many records its ledger holds. */
  readonly ledger: string;
  start(job: Job): Promise<Running>;
}

const PIPELINE = fileURLToPath(new URL('./pass.pipeline.js', import.meta.url));
const ROWS = 'SELECT count(*) AS number FROM ledger';

export const VARIANTS: readonly KafkaVariant[] = [
  penstock('penstock', 'balanced'),
  penstock('penstock, high-throughput', 'high-throughput'),
  worker('plain loop', 'plain-loop', TOPICS.many),
  worker('stock Nest', 'stock-nest', TOPICS.few),
];

/** Our service, as it is built. */
function penstock(name: string, profile: string): KafkaVariant {
  return {
    name,
    inputTopic: TOPICS.many,
    ledger: 'SELECT sum(low) AS number FROM kafka_watermark',
    async start(job) {
      const service = await startService({ env: settingsOf(job, profile), isReadyAwaited: false });
      return {
        pid: service.pid,
        check: (count) => checkBooks(service.url, count),
        async stop() {
          await service.stop();
          const output = service.output().trim();
          if (output !== '') console.error(`The service has printed:\n${output}`);
        },
      };
    },
  };
}

function settingsOf(job: Job, profile: string): Record<string, string> {
  return {
    DATABASE_URL: job.databaseUrl,
    PIPELINE_MODULE: PIPELINE,
    SINKS: 'kafka',
    KAFKA_BROKERS: job.brokers,
    KAFKA_GROUP_ID: job.groupId,
    KAFKA_INPUT_TOPICS: job.inputTopic,
    KAFKA_OUTPUT_TOPIC: job.outputTopic,
    KAFKA_PROFILE: profile,
    GATEWAY_MAX_REQUESTS_PER_SECOND: '0',
    LOG_LEVEL: 'warn',
  };
}

interface PipelineDocument {
  readonly conservation: {
    readonly balanced: boolean;
    readonly sources: {
      readonly kafka: Readonly<
        Record<'accepted' | 'acknowledged' | 'deadLettered' | 'discarded', number>
      >;
    };
  };
}

async function checkBooks(url: string, count: number): Promise<void> {
  const answer = await fetch(`${url}/v1/admin/pipeline`);
  const { conservation } = (await answer.json()) as PipelineDocument;
  const { accepted, acknowledged, deadLettered, discarded } = conservation.sources.kafka;
  const isWhole = accepted === count && acknowledged === count;
  if (!conservation.balanced || !isWhole || deadLettered + discarded > 0) {
    throw new Error(`${count} records went in: ${JSON.stringify(conservation)}`);
  }
}

function worker(name: string, module: string, inputTopic: string): KafkaVariant {
  return {
    name,
    inputTopic,
    ledger: ROWS,
    async start(job) {
      const child: Child<Job, object> = Child.start(
        new URL(`./${module}.worker.js`, import.meta.url),
      );
      await child.ask(job);
      return { pid: child.pid, stop: () => child.stop() };
    },
  };
}
