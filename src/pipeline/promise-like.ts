/**
 * Whether a function of the pipeline that must answer at once has given a promise. Nobody awaits it then, so its
 * rejection is taken care of here: it must not end the process.
 */
export function isUnawaited(value: unknown): boolean {
  if (!isPromise(value)) return false;
  value.then(undefined, () => undefined);
  return true;
}

function isPromise(value: unknown): value is Promise<unknown> {
  try {
    return (
      typeof value === 'object' &&
      value !== null &&
      'then' in value &&
      typeof value.then === 'function'
    );
  } catch {
    return false; // It throws when it is looked at; whoever reads it next says so.
  }
}
