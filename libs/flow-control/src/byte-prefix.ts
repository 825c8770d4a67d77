/** Bytes of each record of a batch: one number = every record has it. A record without a size counts as 0. */
export type Sizes = number | ArrayLike<number>;

/** The longest prefix of at most `count` records whose bytes fit into `freeBytes`. */
export function fittingRecords(count: number, sizes: Sizes, freeBytes: number): number {
  if (freeBytes < 0) return 0;
  if (typeof sizes === 'number') {
    return sizes > 0 ? Math.min(count, Math.floor(freeBytes / sizes)) : count;
  }
  let bytes = 0;
  for (let index = 0; index < count; index += 1) {
    bytes += sizes[index] ?? 0;
    if (bytes > freeBytes) return index;
  }
  return count;
}

/** The bytes of the first `count` records. */
export function bytesOf(count: number, sizes: Sizes): number {
  if (typeof sizes === 'number') return sizes * count;
  let bytes = 0;
  for (let index = 0; index < count; index += 1) bytes += sizes[index] ?? 0;
  return bytes;
}
