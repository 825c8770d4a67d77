import {
  type DestinationStream,
  type LevelWithSilent,
  type Logger,
  pino,
  stdTimeFunctions,
} from 'pino';
import { ReadableLines } from './readable-lines.js';

export interface LogSettings {
  readonly level: LevelWithSilent;
  /** Lines for people instead of JSON. */
  readonly isReadable: boolean;
  /** Default: standard output, written synchronously, so that nothing is lost at the exit. */
  readonly destination?: DestinationStream;
}

/** The service's log: JSON lines, or readable ones on a terminal. No payload is ever given to it. */
export function createLogger({ level, isReadable, destination }: LogSettings): Logger {
  const output = destination ?? pino.destination({ dest: 1, sync: true });
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    isReadable ? new ReadableLines(output) : output,
  );
}
