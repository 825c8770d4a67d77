import { Logger } from '@nestjs/common';
import type { KafkaLogger } from '#libs/kafka';

/** The adapter's log lines in ours, under `context`. */
export function kafkaLogger(context: string): KafkaLogger {
  const log = new Logger(context);
  const text = (message: string, details?: Readonly<Record<string, unknown>>): string =>
    details === undefined ? message : `${message} ${JSON.stringify(details)}`;
  return {
    error: (message, details) => log.error(text(message, details)),
    warn: (message, details) => log.warn(text(message, details)),
    info: (message, details) => log.log(text(message, details)),
    debug: (message, details) => log.debug(text(message, details)),
  };
}
