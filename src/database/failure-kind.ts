/** SQLSTATE classes and codes that pass by themselves: connection, rollback, resources, operator, system. */
const PASSING_CLASSES: ReadonlySet<string> = new Set(['08', '40', '53', '57', '58']);
const LOCK_NOT_AVAILABLE = '55P03';
/** No class of PostgreSQL begins with E; codes of sockets do, and EPIPE has five characters. */
const SQLSTATE = /^(?!E)[0-9A-Z]{5}$/;

/** Whether trying again later makes sense: the server is not there or busy. False: it answered, and will again. */
export function isPassing(error: unknown): boolean {
  const code = codeOf(error);
  // No SQLSTATE: the socket failed, not the statement.
  if (code === undefined || !SQLSTATE.test(code)) return !(error instanceof TypeError);
  return PASSING_CLASSES.has(code.slice(0, 2)) || code === LOCK_NOT_AVAILABLE;
}

/** A sentence for the log; Node leaves the message empty when several addresses of a host refuse. */
export function describeError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message || (codeOf(error) ?? 'unknown error');
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
