import type { BackPressureController } from '#libs/back-pressure';
import type { Clock, Lot, Permit } from '#libs/flow-control';
import { allOf } from './all-of.js';
import type { PipelineRecord } from './record.js';
import type { Slice, Stage } from './stage.js';
import type { WaitingLine } from './waiting-line.js';

export interface PassOnContext {
  readonly controller: BackPressureController;
  readonly clock: Clock;
  /** The stage's line in front of the next stage: one for its whole life. */
  readonly line: WaitingLine;
  /** Told how many records have just gone on. */
  readonly onHandedOn?: (count: number) => void;
}

/**
 * Hands a slice of the upstream half (Gateway, KeyGen) to the next stage.
 *
 * Credits of the next stage come first, then the records go, then their own credits go back. A grant may be smaller
 * than the slice: its prefix goes on, the rest waits in the line for more, so intake order holds. What finds no room
 * in the line, has waited until `slice.admitByMs`, or whose caller has left, is refused: it gets its verdict here, and
 * its credit goes back.
 *
 * Resolves when every record of the slice has its verdict. Synchronous up to the next stage while credits are there.
 */
export function passOn(slice: Slice, lot: Lot, next: Stage, context: PassOnContext): Promise<void> {
  const { controller, line } = context;
  const passage: Passage = { slice, lot, next, handed: [], done: 0, end: slice.records.length };
  const turn = line.tryTurn();
  if (turn !== undefined) handOnWhatIsGranted(passage, context);
  if (passage.done < passage.end) {
    const found = passage.done + line.enter(passage.end - passage.done, slice);
    refuse(slice.records.slice(found), lot, controller.refusal(line.stage, 'queue'));
    passage.end = found;
  }
  if (passage.done < passage.end) {
    return waitAndHandOn(passage, context, turn).then(() => allOf(passage.handed));
  }
  turn?.release();
  return allOf(passage.handed);
}

/** A slice on its way: records before `done` have gone on, those from `end` on are refused. */
interface Passage {
  readonly slice: Slice;
  readonly lot: Lot;
  readonly next: Stage;
  readonly handed: Promise<void>[];
  done: number;
  end: number;
}

function handOnWhatIsGranted(passage: Passage, context: PassOnContext): void {
  const sizes = sizesLeft(passage);
  const granted = context.controller.requestCredits(passage.next.id, sizes.length, sizes);
  if (granted !== undefined) handOn(passage, granted, context);
}

async function waitAndHandOn(
  passage: Passage,
  context: PassOnContext,
  freeTurn: Permit | undefined,
): Promise<void> {
  const { controller, clock, line } = context;
  const { slice } = passage;
  let turn = freeTurn;
  try {
    turn ??= await line.turn(slice);
    while (passage.done < passage.end) {
      const sizes = sizesLeft(passage);
      const timeoutMs = slice.admitByMs - clock.now();
      if (timeoutMs <= 0) throw controller.refusal(passage.next.id, 'credit');
      const granted = await controller.acquireCredits(passage.next.id, sizes.length, {
        sizes,
        ...(timeoutMs === Infinity ? {} : { timeoutMs }),
        ...(slice.signal === undefined ? {} : { signal: slice.signal }),
      });
      const { count } = granted;
      handOn(passage, granted, context);
      line.leave(count);
    }
  } catch {
    // Timed out, caller gone, line full or stopped: whichever it is, the rest was not accepted and is refused.
    const rest = slice.records.slice(passage.done, passage.end);
    refuse(rest, passage.lot, controller.refusal(passage.next.id, 'credit'));
    line.leave(rest.length);
  } finally {
    turn?.release();
  }
}

function handOn(passage: Passage, granted: Lot, context: PassOnContext): void {
  const { slice, lot, next, done } = passage;
  const { count, bytes } = granted;
  const { records } = slice;
  const part = count === records.length ? slice : partOf(slice, done, done + count);
  passage.done += count;
  const taken = next.take(part, granted);
  if (taken instanceof Promise) passage.handed.push(taken);
  lot.release(count, bytes);
  context.onHandedOn?.(count);
}

function partOf({ records, admitByMs, signal }: Slice, from: number, to: number): Slice {
  const part = { records: records.slice(from, to), admitByMs };
  return signal === undefined ? part : { ...part, signal };
}

function sizesLeft({ slice, done, end }: Passage): number[] {
  const sizes: number[] = [];
  for (let i = done; i < end; i += 1) sizes.push(slice.records[i]!.sizeBytes);
  return sizes;
}

/** Gives records their refusal and their credits back. */
export function refuse(records: readonly PipelineRecord[], lot: Lot, error: Error): void {
  if (records.length === 0) return;
  for (const record of records) record.verdict = { kind: 'refused', error };
  lot.release(records.length, bytesOf(records));
}

/** Bytes that the credits of these records stand for. */
export function bytesOf(records: readonly PipelineRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += record.sizeBytes;
  return bytes;
}
