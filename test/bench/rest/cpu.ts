import { readFileSync } from 'node:fs';

/** Linux counts CPU in these, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/<pid>/stat behind the command's name, which may hold anything: utime, stime, cutime, cstime. */
const FIRST_CPU_FIELD = 11;
const CPU_FIELDS = 4;
/** Of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. */
const MACHINE_FIELDS = 8;
const IDLE_FIELDS: ReadonlySet<number> = new Set([3, 4]);

/** CPU seconds of a process and its children, living and ended; NaN where the system does not tell. */
export function cpuSeconds(pid: number): number {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    const own = ticksOf(pid, CPU_FIELDS);
    const living = children === '' ? [] : children.split(' ');
    return living.reduce((sum, child) => sum + ticksOf(Number(child), 2), own) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN; // No /proc, or a child that has just ended.
  }
}

/** CPU seconds of everything on the machine, time stolen by its host included; NaN where the system does not tell. */
export function machineCpuSeconds(): number {
  try {
    const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
    const ticks = line.split(/\s+/).slice(1, 1 + MACHINE_FIELDS);
    const busy = ticks.filter((_, i) => !IDLE_FIELDS.has(i));
    return busy.reduce((sum, value) => sum + Number(value), 0) / TICKS_PER_SECOND;
  } catch {
    return Number.NaN; // No /proc.
  }
}

function ticksOf(pid: number, fields: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const behindName = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = behindName.slice(FIRST_CPU_FIELD, FIRST_CPU_FIELD + fields);
  return ticks.reduce((sum, value) => sum + Number(value), 0);
}
