/** Real milliseconds between two looks at the condition. */
const POLL_MS = 5;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, POLL_MS));

/** Waits until `condition` gives something truthy and returns it; throws a sentence naming `what` at the deadline. */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: { deadlineMs?: number; what?: string } = {},
): Promise<NonNullable<T>> {
  const { deadlineMs = 30_000, what = 'the condition' } = options;
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() >= endMs) throw new Error(`Waited ${deadlineMs} ms in vain for ${what}.`);
    await pause();
  }
}
