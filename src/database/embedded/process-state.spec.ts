import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isPostmaster, parseProcStat, parsePs, processState } from './process-state.js';

describe('process state', () => {
  it('reads the name between the outermost parentheses', () => {
    expect(parseProcStat('7 (postgres) S 1 7 7 0')).toEqual({ command: 'postgres' });
    expect(parseProcStat('7 (a (b) c) R 1 7 7 0')).toEqual({ command: 'a (b) c' });
  });

  it('takes a zombie for what it is', () => {
    expect(parseProcStat('7 (postgres) Z 1 7 7 0')).toBe('zombie');
    expect(parsePs('Z+   (postgres)\n')).toBe('zombie');
  });

  it('reads the answer of ps', () => {
    expect(parsePs('Ss   /opt/pg/bin/postgres\n')).toEqual({ command: 'postgres' });
    expect(parsePs('')).toBe('gone');
  });

  it('knows the running process from one that has ended', async () => {
    expect(processState(process.pid)).toHaveProperty('command');
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    expect(processState(child.pid ?? 0)).toBe('gone');
  });

  it('takes no other program for a postmaster', () => {
    expect(isPostmaster(process.pid, process.cwd())).toBe(false);
  });
});
