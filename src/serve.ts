/**
 * The service as a process: port, application, signals.
 *
 * The port is bound before anything else is touched, so a second start on it ends there.
 */
import { constants } from 'node:os';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { createApplication } from './application.js';
import type { LoadedOptions } from './config/load-options.js';
import { Database } from './database/database.js';
import { GatewayLimits } from './gateway/gateway.limits.js';
import { answerProtocolError, SERVER_OPTIONS } from './gateway/server-protection.js';
import { FrontDoor } from './http/front-door.js';
import { createLogger } from './logging/create-logger.js';
import { PinoLoggerService } from './logging/pino-logger.service.js';
import { chooseDefinition } from './pipeline/load-definition.js';
import { Intake, type IntakeClosed } from './pipeline/intake.js';
import { PipelineLifecycle } from './pipeline/pipeline.lifecycle.js';
import { type StopSignal, StopSignals } from './stop-signals.js';

/** What a shell reports for a process that a signal ended. */
const SIGNAL_STATUS_BASE = 128;

export interface Release {
  readonly version: string;
  /** The folder of the compiled files. */
  readonly build: string;
}

/** Starts the service; resolves when it is ready. Rejects with what makes a start impossible. */
export async function serve(loaded: LoadedOptions, { version, build }: Release): Promise<void> {
  const { options, warnings } = loaded;
  const { host, port, adminPort, logLevel } = options.service;
  const log = createLogger({ level: logLevel, isReadable: process.stdout.isTTY });
  for (const warning of warnings) log.warn(warning);
  const signals = new StopSignals(process, (signal) => endAtOnce(log, signal));
  const door = new FrontDoor(SERVER_OPTIONS);
  const adminDoor =
    adminPort === undefined ? undefined : new FrontDoor(SERVER_OPTIONS, answerProtocolError);
  await door.listen(port, host);
  if (adminPort !== undefined) await adminDoor?.listen(adminPort, host, 'ADMIN_PORT');
  const definition = await chooseDefinition(
    { ...options.pipeline, egressUrl: options.egress.url },
    { build, working: process.cwd() },
  );
  const app = await createApplication({
    loaded,
    definition,
    version,
    logger: new PinoLoggerService(log),
    door,
    ...(adminDoor !== undefined && { adminDoor }),
  });
  endWhenImpossible(app, log);
  try {
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    signals.handTo(app);
    door.open();
    adminDoor?.open();
    const lifecycle = app.get(PipelineLifecycle);
    await lifecycle.whenStarted();
    if (lifecycle.state === 'running') {
      const { closed } = app.get(Intake);
      const { takesKafkaOnly } = app.get(GatewayLimits);
      const line = startLine({ host, port: door.port, adminPort: adminDoor?.port, takesKafkaOnly });
      log.info(closed === undefined || takesKafkaOnly ? line : standbyLine(closed));
    }
  } catch (error) {
    // The embedded database would outlive the process.
    await app.close();
    throw error;
  }
}

/** What can't get better while the process runs: another one has its place. */
function endWhenImpossible(app: NestFastifyApplication, log: Logger): void {
  const end = (error: Error): void => {
    log.fatal(error.message);
    void app.close().finally(() => process.exit(1));
  };
  app.get(Database).once('fatal', end);
  app.get(PipelineLifecycle).onFatal(end);
}

function endAtOnce(log: Logger, signal: StopSignal): void {
  log.warn(`Second signal (${signal}): ending at once; what is left stays in the journal.`);
  process.exit(SIGNAL_STATUS_BASE + constants.signals[signal]);
}

interface StartLine {
  readonly host: string;
  readonly port: number;
  readonly adminPort: number | undefined;
  readonly takesKafkaOnly: boolean;
}

function startLine({ host, port, adminPort = port, takesKafkaOnly }: StartLine): string {
  const name = host.includes(':') ? `[${host}]` : host;
  const [url, adminUrl] = [`http://${name}:${port}`, `http://${name}:${adminPort}`];
  const records = takesKafkaOnly ? 'from Kafka alone (exactly once)' : `${url}/v1/records`;
  return `Penstock is ready: records ${records}, docs ${url}/docs, health ${adminUrl}/health`;
}

/** Records by REST are for the replica that has the partitions; those of Kafka flow on every one. */
function standbyLine({ detail }: IntakeClosed): string {
  return `Penstock runs, and takes no records by REST yet: ${detail}`;
}
