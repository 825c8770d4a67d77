import type { ExecutionContext } from '@nestjs/common';

/** The part of a Fastify reply that is needed. */
interface Reply {
  readonly raw: {
    once(event: 'close', listener: () => void): unknown;
    off(event: 'close', listener: () => void): unknown;
  };
}

/**
 * Runs a wait with a signal that aborts when the client leaves. The response closes without an answer then; the
 * request's own `close` would come as soon as its body is read.
 */
export async function whileClientStays<T>(
  context: ExecutionContext,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { raw } = context.switchToHttp().getResponse<Reply>();
  const left = new AbortController();
  const onClose = (): void => left.abort(new Error('The client has left'));
  raw.once('close', onClose);
  try {
    return await wait(left.signal);
  } finally {
    raw.off('close', onClose);
  }
}
