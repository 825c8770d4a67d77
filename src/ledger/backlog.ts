import type { JournalLevel } from './journal-level.js';
import type { BacklogEntry } from './journal.port.js';

type Listener = (added: readonly BacklogEntry[]) => void;

/**
 * The records that must be carried on and are in nobody's memory: ids in the order of acceptance. Payloads are read when
 * credits are there.
 */
export class Backlog {
  private list: BacklogEntry[] = [];
  private readonly listeners: Listener[] = [];

  constructor(private readonly level: JournalLevel) {}

  entries(): readonly BacklogEntry[] {
    return this.list;
  }

  onAdded(listener: Listener): void {
    this.listeners.push(listener);
  }

  /** Takes over the rows that nobody here knows. */
  add(rows: readonly BacklogEntry[]): void {
    const added = rows.filter((row) => !this.level.has(row.id));
    if (added.length === 0) return;
    for (const { id, sizeBytes } of added) this.level.add(id, sizeBytes);
    this.list = [...this.list, ...added];
    for (const listener of this.listeners) listener(added);
  }

  /** Forgets entries: they are loaded, or ended elsewhere. */
  remove(ids: readonly string[]): void {
    const removed = new Set(ids);
    this.list = this.list.filter((entry) => !removed.has(entry.id));
  }
}
