import type { JournalLevel } from './journal-level.js';
import type { BacklogEntry } from './journal.port.js';

type Listener = (added: readonly BacklogEntry[]) => void;

/**
 * The records that must be carried on and are in nobody's memory: ids in the order of acceptance. Payloads are read when
 * credits are there.
 */
export class Backlog {
  private list: BacklogEntry[] = [];
  /** Entries before it are gone. */
  private head = 0;
  private readonly listeners: Listener[] = [];

  constructor(private readonly level: JournalLevel) {}

  get size(): number {
    return this.list.length - this.head;
  }

  entries(): readonly BacklogEntry[] {
    this.compact();
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
    this.compact();
    this.list = [...this.list, ...added];
    for (const listener of this.listeners) listener(added);
  }

  /** Forgets entries: they are loaded, or ended elsewhere. Costs nothing but their number when they are the first. */
  remove(ids: readonly string[]): void {
    if (ids.every((id, index) => this.list[this.head + index]?.id === id)) {
      this.head += ids.length;
      return;
    }
    const removed = new Set(ids);
    this.list = this.entries().filter((entry) => !removed.has(entry.id));
  }

  private compact(): void {
    if (this.head === 0) return;
    this.list = this.list.slice(this.head);
    this.head = 0;
  }
}
