import { from } from '../../src/pipeline/from.js';
import { rest } from '../../src/pipeline/source-definition.js';
import { startApplication, type TestApplication } from '../support/application.js';
import { until } from '../support/until.js';

describe('The limits of mapAsync', () => {
  let service: TestApplication;
  afterEach(() => service.close());

  const post = (payload: unknown) =>
    service.app.inject({ method: 'POST', url: '/v1/records', payload: { payload } });

  it('let as many calls run as its capacity says, whatever EGRESS_MAX_CONCURRENT_OPERATIONS is', async () => {
    const waiting: (() => void)[] = [];
    let [ended, most] = [0, 0];
    const call = async (): Promise<void> => {
      await new Promise<void>((resolve) => {
        most = Math.max(most, waiting.push(resolve));
      });
      ended += 1;
    };
    const definition = from(rest()).mapAsync(call, { capacity: 2 });
    service = await startApplication({ EGRESS_MAX_CONCURRENT_OPERATIONS: '50' }, definition);
    for (let i = 0; i < 6; i += 1) expect((await post(i)).statusCode).toBe(202);
    await until(
      () => {
        if (waiting.length < Math.min(2, 6 - ended)) return false;
        for (const resolve of waiting.splice(0)) resolve();
        return ended === 6;
      },
      { what: 'six calls have ended' },
    );
    expect(most).toBe(2);
  });

  it('end a call at its timeoutMs, whatever EGRESS_OPERATION_TIMEOUT_MS is', async () => {
    let reason: unknown;
    const call = (
      _payload: unknown,
      { signal, attempt }: { signal: AbortSignal; attempt: number },
    ) =>
      attempt > 1
        ? Promise.resolve()
        : new Promise<void>((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reason = signal.reason;
              reject(new Error('aborted'));
            });
          });
    const definition = from(rest()).mapAsync(call, { timeoutMs: 40 });
    service = await startApplication({ EGRESS_OPERATION_TIMEOUT_MS: '600000' }, definition);
    expect((await post(1)).statusCode).toBe(202);
    await until(() => reason !== undefined, { what: 'the call is aborted' });
    expect(String(reason)).toContain('No answer within 40 ms');
  });
});
