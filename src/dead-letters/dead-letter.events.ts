import { EventEmitter } from 'node:events';

/** What happens to letters at this process, each with how many; metrics listen. A listener must not throw. */
export interface DeadLetterEventMap {
  added: [letters: number];
  /** An operator asked for it here. */
  redrive: [letters: number];
  /** Their records have reached another end. */
  redriven: [letters: number];
  /** Their records have died again. */
  returned: [letters: number];
  discarded: [letters: number];
}

export class DeadLetterEvents extends EventEmitter<DeadLetterEventMap> {}
