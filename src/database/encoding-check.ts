import { EncodingError } from './errors/encoding.error.js';

/** The part of a `pg` client that the check uses. */
interface Session {
  query(statement: string): Promise<{ rows: { server_encoding?: string }[] }>;
}

/** Rejects with EncodingError unless the session's database is in UTF8: another one refuses or changes what senders write. */
export async function assertUtf8(session: Session): Promise<void> {
  const { rows } = await session.query('SHOW server_encoding');
  const encoding = rows[0]?.server_encoding ?? 'unknown';
  if (encoding !== 'UTF8') throw new EncodingError(encoding);
}
