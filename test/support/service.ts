import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchService } from './answer-watch.js';
import { freePort } from './free-port.mjs';
import { startFlags } from './start-flags.js';
import { until } from './until.js';

const MAIN = join(process.cwd(), 'dist', 'src', 'main.js');

/** The built service as a process of its own, as its user would run it. */
export interface Service {
  readonly url: string;
  readonly pid: number;
  /** All that it has printed so far. */
  output(): string;
  /** Resolves when it is gone, with its exit status or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** SIGTERM, then waits for the end. */
  stop(): Promise<number | NodeJS.Signals>;
  /** SIGKILL, then waits for the end. */
  kill(): Promise<number | NodeJS.Signals>;
}

export interface ServiceOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly port?: number;
  /** Waits for `/health/ready` unless false. */
  readonly isReadyAwaited?: boolean;
}

/** Starts the build in `dist`; the environment is ours alone, so that the machine's own variables change nothing. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const port = options.port ?? (await freePort());
  const env = { PATH: process.env['PATH'] ?? '', PORT: String(port), LOG_LEVEL: 'info' };
  const child = spawn(process.execPath, [...startFlags(), MAIN], {
    env: { ...env, ...options.env },
    cwd: options.env?.['CWD'] ?? process.cwd(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const service = describeService(child, port);
  watchService(service.url);
  if (options.isReadyAwaited === false) return service;
  let hasEnded = false;
  void service.exited.then(() => {
    hasEnded = true;
  });
  await until(
    async () => {
      if (hasEnded) throw new Error(`the service ended at its start:\n${service.output()}`);
      return isOk(`${service.url}/health/ready`);
    },
    { deadlineMs: 60_000, what: 'the service is ready' },
  );
  return service;
}

function describeService(child: ChildProcess, port: number): Service {
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
  const end = (signal: NodeJS.Signals): Promise<number | NodeJS.Signals> => {
    child.kill(signal);
    return exited;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? -1,
    output: () => output,
    exited,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** False while nobody listens or the answer is not 2xx. */
export async function isOk(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url);
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false; // Nobody listens yet; the caller asks again until its deadline.
  }
}

/** A folder that any user may enter (the embedded Postgres changes its user when run as root); remove it by `remove`. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'penstock-test-'));
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
