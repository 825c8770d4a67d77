import fc from 'fast-check';
import type { EgressContext } from '../../src/pipeline/definition.js';
import { StageHarness } from '../support/stage-harness.js';

/** What the destination does with a call. `hang` ends at its signal; `ignore` ends 1700 ms after its begin, whatever it is told. */
const WORDS = ['ok', 'error', 'refused', 'busy', 'bad', 'hang', 'ignore'] as const;
type Word = (typeof WORDS)[number];

const LIMIT = 3;
const TIMEOUT_MS = 200;
const IGNORE_MS = 1700;
const BUSY_MS = 3000;
/** Longer than the breaker ever stays open. */
const STEP_MS = 36_000;

const plans = fc.array(
  fc.record({
    // Mostly without a key: those of one key are called one after the other.
    key: fc.constantFrom('a', 'b', 'c', undefined, undefined, undefined, undefined),
    // The last word repeats; after six calls everything succeeds, so that each run ends.
    words: fc.array(fc.constantFrom(...WORDS, 'ignore', 'ignore', 'ignore'), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  { minLength: 1, maxLength: 25 },
);

function errorOf(word: Word): Error | undefined {
  const error = new Error(word);
  if (word === 'error') return Object.assign(error, { status: 500 });
  if (word === 'refused') return Object.assign(error, { code: 'ECONNREFUSED' });
  if (word === 'busy') return Object.assign(error, { status: 429, retryAfterMs: BUSY_MS });
  return word === 'bad' ? Object.assign(error, { status: 422 }) : undefined;
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
  });
}

describe('AsyncEgress behind its guard', () => {
  it('gives each record one end, keeps the order of a key, calls nobody through a closed gate, and at most twice the limit at once (DG2, DG3)', async () => {
    await fc.assert(
      fc.asyncProperty(
        plans,
        fc.constantFrom('hold', 'dead-letter'),
        async (given, outagePolicy) => {
          const calls = given.map(() => 0);
          const succeeded: number[] = [];
          const violations: string[] = [];
          let atOnce = 0;
          let busyAtMs = -Infinity;
          const answer = async (index: number, signal: AbortSignal): Promise<void> => {
            const { words } = given[index]!;
            const word =
              calls[index]! > 6 ? 'ok' : words[Math.min(calls[index]!, words.length) - 1]!;
            // In the order of the calls; a success is one in time.
            if (word === 'ok') succeeded.push(index);
            if (word === 'busy') busyAtMs = harness.clock.now();
            if (word === 'hang') await untilAborted(signal);
            if (word === 'ignore') {
              await new Promise<void>((resolve) => harness.clock.setTimer(IGNORE_MS, resolve));
            }
            const error = errorOf(word);
            if (error !== undefined) throw error;
          };
          const egress = async (payload: unknown, { signal }: EgressContext): Promise<void> => {
            const index = payload as number;
            calls[index]! += 1;
            atOnce += 1;
            if (atOnce > 2 * LIMIT) violations.push('more than twice the limit');
            const sinceBusyMs = harness.clock.now() - busyAtMs;
            // Those of the same moment began before the answer was there.
            if (sinceBusyMs > 0 && sinceBusyMs < BUSY_MS)
              violations.push('a call through the gate');
            await answer(index, signal).finally(() => {
              atOnce -= 1;
            });
          };
          const harness = await new StageHarness({
            definition: { egress },
            egress: {
              outagePolicy,
              maxConcurrentOperations: LIMIT,
              operationTimeoutMs: TIMEOUT_MS,
            },
          }).start();
          const records = await harness.accept(
            given.map((_, index) => index),
            { keys: given.map(({ key }) => key) },
          );
          for (let s = 0; s < 300 && harness.settled.length < given.length; s += 1) {
            await harness.advance(STEP_MS);
          }
          await harness.advance(STEP_MS);
          expect(violations).toEqual([]);
          expect(harness.leftovers()).toEqual({});
          expect(harness.settled).toHaveLength(records.length);
          expect(harness.egress.snapshot()).toMatchObject({ inside: 0, running: 0, abandoned: 0 });
          for (const key of ['a', 'b', 'c']) {
            const ofKey = succeeded.filter((index) => given[index]!.key === key);
            expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
          }
          await harness.stop();
          expect(harness.clock.pendingTimers).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  }, 120_000);
});
