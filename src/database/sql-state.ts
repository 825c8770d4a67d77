const SQL_STATE = /^[0-9A-Z]{5}$/;

/** The `code` of an error, if it is a SQLSTATE: those of Node that have five letters, such as EPIPE, begin with an E. */
export function asSqlState(code: unknown): string | undefined {
  const isSqlState = typeof code === 'string' && SQL_STATE.test(code) && !code.startsWith('E');
  return isSqlState ? code : undefined;
}
