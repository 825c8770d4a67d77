import type { BackPressureController } from '#libs/back-pressure';
import type { Clock, Lot } from '#libs/flow-control';
import type { PipelineRecord } from './record.js';
import type { Slice, Stage } from './stage.js';

/**
 * Hands a slice of the upstream half (Gateway, KeyGen, IngressProcessing) to the next stage.
 *
 * Credits of the next stage come first, then the records go, then their own credits go back. A grant may be smaller
 * than the slice: its prefix goes on, the rest waits in line for more, so intake order holds. What has waited until
 * `slice.admitByMs`, or whose caller has left, is refused: it gets its verdict here, and its credit goes back.
 *
 * Resolves when every record of the slice has its verdict. Synchronous up to the next stage while credits are there.
 */
export async function passOn(
  slice: Slice,
  lot: Lot,
  next: Stage,
  { controller, clock }: { controller: BackPressureController; clock: Clock },
): Promise<void> {
  const { records } = slice;
  const sizes = records.map(sizeOf);
  const handed: (Promise<void> | void)[] = [];
  let done = 0;
  while (done < records.length) {
    const rest = done === 0 ? sizes : sizes.slice(done);
    let granted = controller.requestCredits(next.id, rest.length, rest);
    if (granted === undefined) {
      const waited = await waitForCredits(slice, next, rest, controller, clock);
      if (waited instanceof Error) {
        refuse(records.slice(done), lot, waited);
        break;
      }
      granted = waited;
    }
    const part = granted.count === records.length ? slice : partOf(slice, done, granted.count);
    done += granted.count;
    const bytes = granted.bytes;
    const count = granted.count;
    handed.push(next.take(part, granted));
    lot.release(count, bytes);
  }
  await Promise.all(handed);
}

const sizeOf = (record: PipelineRecord): number => record.sizeBytes;

function partOf(slice: Slice, from: number, count: number): Slice {
  return { ...slice, records: slice.records.slice(from, from + count) };
}

async function waitForCredits(
  slice: Slice,
  next: Stage,
  sizes: readonly number[],
  controller: BackPressureController,
  clock: Clock,
): Promise<Lot | Error> {
  const timeoutMs = slice.admitByMs - clock.now();
  if (timeoutMs <= 0) return controller.refusal(next.id, 'credit');
  try {
    return await controller.acquireCredits(next.id, sizes.length, {
      sizes,
      timeoutMs,
      signal: slice.signal,
    });
  } catch {
    // Timed out, caller gone, queue full or stopped: whichever it is, the record was not accepted and is refused.
    return controller.refusal(next.id, 'credit');
  }
}

/** Gives records their refusal and their credits back. */
export function refuse(records: readonly PipelineRecord[], lot: Lot, error: Error): void {
  let bytes = 0;
  for (const record of records) {
    record.verdict = { kind: 'refused', error };
    bytes += record.sizeBytes;
  }
  lot.release(records.length, bytes);
}
