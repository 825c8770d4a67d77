import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** What the framework says while it wires itself up: of use only to who debugs that. */
const WIRING: ReadonlySet<string> = new Set([
  'InstanceLoader',
  'NestApplication',
  'NestFactory',
  'RouterExplorer',
  'RoutesResolver',
]);

/**
 * Nest's logger over pino. Nest calls `log(message, ...rest, context)`; `error` may have a stack before the context.
 */
export class PinoLoggerService implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    const isWiring = typeof context === 'string' && WIRING.has(context);
    this.write(isWiring ? 'debug' : 'info', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  private write(level: Level, message: unknown, rest: readonly unknown[]): void {
    if (!this.logger.isLevelEnabled(level)) return;
    const words = rest.filter((word) => typeof word === 'string');
    const context = words.at(-1);
    // What stands between the message and the context is a stack or an Error; anything else is not ours to log.
    const error = [message, ...rest].find((part) => part instanceof Error);
    const stack = words.length > 1 ? words[0] : undefined;
    const fields = {
      ...(context !== undefined && { context }),
      ...(error !== undefined && { err: error }),
      ...(stack !== undefined && { stack }),
    };
    this.logger[level](fields, textOf(message));
  }
}

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  return message instanceof Error ? message.message : (JSON.stringify(message) ?? typeof message);
}
