/** What happens to a dead letter: two by an operator, three by the pipeline when a redrive ends. */
export const LETTER_EVENTS = [
  'redrive',
  'discard',
  'acknowledged',
  'discarded',
  'dead-lettered',
] as const;

/** One event of a letter's life after it was written. */
export interface LetterEvent {
  /** RFC 3339, by the database's clock. */
  readonly at: string;
  readonly event: (typeof LETTER_EVENTS)[number];
  /** Who asked for it. */
  readonly by?: string;
  /** Why a letter was discarded, or its record has died again or was filtered out. */
  readonly reason?: string;
}
