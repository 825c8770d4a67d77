import { parsePostmasterPid } from './postmaster-pid.js';

const READY =
  '4711\n/data/postgres\n1767225600\n54321\n/data/postgres\n127.0.0.1\n  1234  5\nready   \n';

describe('parsePostmasterPid', () => {
  it('reads pid, port and status of a running server', () => {
    expect(parsePostmasterPid(READY)).toEqual({ pid: 4711, port: 54321, status: 'ready' });
  });

  it('knows no status before the server has written one', () => {
    const text = READY.split('\n').slice(0, 6).join('\n');
    expect(parsePostmasterPid(text)).toEqual({ pid: 4711, port: 54321, status: undefined });
  });

  it('reads the negated pid of a stand-alone back end', () => {
    expect(parsePostmasterPid('-4711\n/data/postgres\n')).toEqual({
      pid: 4711,
      port: 0,
      status: undefined,
    });
  });

  it.each(['', '\n', 'x\n', '0\n'])('finds no pid in %j', (text) => {
    expect(parsePostmasterPid(text)).toBeUndefined();
  });
});
