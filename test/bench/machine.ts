import { cpus, loadavg, platform, release, totalmem } from 'node:os';

const GIB = 2 ** 30;

/** What the figures were measured on, and what else ran there at the start. */
export function describeMachine(): Readonly<Record<string, unknown>> {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGib: Number((totalmem() / GIB).toFixed(1)),
    platform: `${platform()} ${release()}`,
    node: process.version,
    loadAverage: loadavg().map((load) => Number(load.toFixed(2))),
  };
}
