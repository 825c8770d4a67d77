import type { DestinationStream } from 'pino';

const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'level',
  'time',
  'context',
  'msg',
  'err',
  'stack',
]);

/** Time of day within an ISO time: `2026-01-01T12:00:00.000Z`. */
const TIME_FROM = 11;
const TIME_TO = 19;

interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly context?: string;
  readonly msg?: string;
  readonly stack?: string;
  readonly err?: { readonly stack?: string };
}

/** Turns the JSON lines of the log into lines for people. */
export class ReadableLines implements DestinationStream {
  constructor(private readonly output: DestinationStream) {}

  write(json: string): void {
    const line = JSON.parse(json) as LogLine;
    const context = line.context === undefined ? '' : `[${line.context}] `;
    const time = line.time.slice(TIME_FROM, TIME_TO);
    const stack = line.err?.stack ?? line.stack;
    const text = `${time} ${line.level.toUpperCase().padEnd(5)} ${context}${line.msg ?? ''}${fieldsOf(line)}`;
    this.output.write(stack === undefined ? `${text}\n` : `${text}\n${stack}\n`);
  }
}

function fieldsOf(line: LogLine): string {
  const fields = Object.entries(line).filter(([name]) => !KNOWN_FIELDS.has(name));
  return fields.map(([name, value]) => ` ${name}=${JSON.stringify(value)}`).join('');
}
