import { ByteCollector } from './byte-collector.js';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Stands for a line that was longer than allowed; its bytes were not kept. */
export const TOO_LONG = Symbol('TOO_LONG');
export type Line = Buffer | typeof TOO_LONG;

/**
 * Cuts a byte stream into lines. Holds at most one line of `maxLineBytes`; a longer one is dropped as it comes and told
 * of once. Lines of nothing but spaces are left out.
 */
export class LineSplitter {
  /** The begin of a line whose end has not come yet. One byte more, for the carriage return. */
  private readonly held: ByteCollector;
  private isDropping = false;

  constructor(private readonly maxLineBytes: number) {
    this.held = new ByteCollector(maxLineBytes + 1);
  }

  /** The lines that end in this chunk. They may share its memory. */
  push(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end === -1) break;
      this.finishLine(chunk.subarray(from, end), lines);
      from = end + 1;
    }
    this.hold(chunk.subarray(from));
    return lines;
  }

  /** The last line, when it has no line end. */
  end(): Line[] {
    const lines: Line[] = [];
    this.finishLine(Buffer.alloc(0), lines);
    return lines;
  }

  private hold(part: Buffer): void {
    if (this.isDropping || part.length === 0 || this.held.append(part)) return;
    this.held.take();
    this.isDropping = true;
  }

  private finishLine(rest: Buffer, lines: Line[]): void {
    const isWhole = this.held.length === 0 && !this.isDropping;
    if (!isWhole) this.hold(rest);
    const bytes = isWhole ? rest : this.held.take();
    const line = this.isDropping ? TOO_LONG : this.lineOf(bytes);
    this.isDropping = false;
    if (line !== undefined) lines.push(line);
  }

  private lineOf(bytes: Buffer): Line | undefined {
    const line = bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
    if (line.length > this.maxLineBytes) return TOO_LONG;
    return isBlank(line) ? undefined : line;
  }
}

function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === CARRIAGE_RETURN);
}
