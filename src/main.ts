/**
 * The process: settings, port, application, signals.
 *
 * The port is bound before anything else is touched, so a second start on it ends there. The process ends in one of
 * three ways: 0 after a drain, 1 with one message for what makes it impossible, or at once by a second signal.
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Logger } from 'pino';
import { createApplication } from './application.js';
import { HELP, readCommandLine, settingsListing } from './config/command-line.js';
import { type LoadedOptions, loadOptions } from './config/load-options.js';
import { Database } from './database/database.js';
import { isExplained } from './explained-error.js';
import { SERVER_OPTIONS } from './gateway/server-protection.js';
import { FrontDoor } from './http/front-door.js';
import { createLogger } from './logging/create-logger.js';
import { PinoLoggerService } from './logging/pino-logger.service.js';
import { loadDefinition } from './pipeline/load-definition.js';
import { PipelineLifecycle } from './pipeline/pipeline.lifecycle.js';
import { type StopSignal, StopSignals } from './stop-signals.js';

/** `dist`, and the project's folder around it. */
const BUILD = join(import.meta.dirname, '..');
const PROJECT = join(BUILD, '..');
/** What a shell reports for a process that a signal ended. */
const SIGNAL_STATUS_BASE = 128;

async function main(): Promise<void> {
  const command = readCommandLine(process.argv.slice(2));
  if (command === 'help') print(HELP);
  else if (command === 'version') print(`${readVersion()}\n`);
  else if (command === 'check-config') print(settingsListing(loadOptions()));
  else await serve(loadOptions());
}

async function serve({ options, warnings }: LoadedOptions): Promise<void> {
  const { host, port, logLevel } = options.service;
  const log = createLogger({ level: logLevel, isReadable: process.stdout.isTTY });
  for (const warning of warnings) log.warn(warning);
  const signals = new StopSignals(process, (signal) => endAtOnce(log, signal));
  const door = new FrontDoor(SERVER_OPTIONS);
  await door.listen(port, host);
  const { pipelineModule } = options.pipeline;
  const definition = await loadDefinition(pipelineModule, { build: BUILD, working: process.cwd() });
  const app = await createApplication({
    options,
    definition,
    version: readVersion(),
    logger: new PinoLoggerService(log),
    door,
  });
  endWhenImpossible(app, log);
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  signals.handTo(app);
  door.open();
  await app.get(PipelineLifecycle).whenStarted();
  log.info(startLine(host, door.port));
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

function startLine(host: string, port: number): string {
  const name = host.includes(':') ? `[${host}]` : host;
  const url = `http://${name}:${port}`;
  return `Penstock is ready: records ${url}/v1/records, docs ${url}/docs, health ${url}/health`;
}

function readVersion(): string {
  const text = readFileSync(join(PROJECT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function print(text: string): void {
  process.stdout.write(text);
}

/** One message on stderr; a stack only for what nobody has foreseen. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return isExplained(error) ? error.message : (error.stack ?? error.message);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}
