const DONE: Promise<void> = Promise.resolve();

/** Resolves when all have; a lone promise is its own answer, since `Promise.all` costs a request of one record 1 KB. */
export function allOf(promises: readonly Promise<void>[]): Promise<void> {
  if (promises.length <= 1) return promises[0] ?? DONE;
  return Promise.all(promises).then(() => undefined);
}
