import { createLogger, type LogSettings } from './create-logger.js';
import { PinoLoggerService } from './pino-logger.service.js';

function capture(settings: Partial<LogSettings> = {}): { log: PinoLoggerService; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level: 'info', isReadable: false, destination, ...settings });
  return { log: new PinoLoggerService(logger), lines };
}

describe('the log', () => {
  it('writes one JSON object a line, with level, time, context and message', () => {
    const { log, lines } = capture();
    log.log('started', 'Pipeline');
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      context: 'Pipeline',
      msg: 'started',
    });
  });

  it.each([
    ['fatal', 'fatal'],
    ['error', 'error'],
    ['warn', 'warn'],
    ['log', 'info'],
    ['debug', 'debug'],
    ['verbose', 'trace'],
  ] as const)('writes what Nest logs by %s at level %s', (method, level) => {
    const { log, lines } = capture({ level: 'trace' });
    log[method]('a message', 'Context');
    expect(JSON.parse(lines[0]!)).toMatchObject({ level, msg: 'a message' });
  });

  it('leaves out what is less severe than its level', () => {
    const { log, lines } = capture({ level: 'warn' });
    log.log('hidden');
    log.debug('hidden');
    log.warn('shown');
    expect(lines).toHaveLength(1);
  });

  it('shows what the framework says of its wiring at debug only', () => {
    const { log, lines } = capture();
    log.log('AppModule dependencies initialized', 'InstanceLoader');
    expect(lines).toEqual([]);
  });

  it('keeps the stack of an error that is logged as an Error or as text', () => {
    const { log, lines } = capture();
    log.error(new Error('broken'), 'Context');
    log.error('broken', 'Error: broken\n  at here', 'Context');
    expect(JSON.parse(lines[0]!)).toMatchObject({ msg: 'broken', err: { message: 'broken' } });
    expect(JSON.parse(lines[1]!)).toMatchObject({
      stack: 'Error: broken\n  at here',
      context: 'Context',
    });
  });

  it('writes readable lines on a terminal', () => {
    const { log, lines } = capture({ isReadable: true });
    log.warn('queue is long', 'Gateway');
    log.error('broken', 'Error: broken\n  at here', 'Gateway');
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d WARN {2}\[Gateway\] queue is long\n$/);
    expect(lines[1]).toMatch(/ERROR \[Gateway\] broken\nError: broken\n {2}at here\n$/);
  });

  it('shows further fields of a readable line', () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    createLogger({ level: 'info', isReadable: true, destination }).info({ stage: 'KeyGen' }, 'hot');
    expect(lines[0]).toMatch(/INFO {2}hot stage="KeyGen"\n$/);
  });
});
