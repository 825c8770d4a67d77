import { CreditQueueFullError } from './credit-queue-full.error.js';
import { CreditWaitAbortedError } from './credit-wait-aborted.error.js';
import { CreditWaitTimeoutError } from './credit-wait-timeout.error.js';
import { FlowControlError } from './flow-control-error.js';
import { PoolClosedError } from './pool-closed.error.js';
import { SemaphoreFullError } from './semaphore-full.error.js';
import { SemaphoreWaitAbortedError } from './semaphore-wait-aborted.error.js';
import { SemaphoreWaitTimeoutError } from './semaphore-wait-timeout.error.js';

const wait = { pool: 'Gateway', count: 3, waitedMs: 12.4 };
const permitWait = { semaphore: 'calls', waitedMs: 12.4 };
const errors: [FlowControlError, string, boolean, string][] = [
  [
    new CreditWaitTimeoutError(wait),
    'FC_CREDIT_WAIT_TIMEOUT',
    true,
    'Gateway granted none of 3 credits within 12 ms',
  ],
  [
    new CreditWaitAbortedError({ ...wait, reason: 'stop' }),
    'FC_CREDIT_WAIT_ABORTED',
    false,
    'The wait for 3 credits of Gateway was cancelled',
  ],
  [
    new CreditQueueFullError({ pool: 'Gateway', waiting: 9 }),
    'FC_CREDIT_QUEUE_FULL',
    true,
    'Gateway has 9 waiters already',
  ],
  [
    new SemaphoreFullError({ semaphore: 'calls', capacity: 5, queued: 2 }),
    'FC_SEMAPHORE_FULL',
    true,
    'calls: all 5 permits are taken and 2 callers wait',
  ],
  [
    new SemaphoreWaitTimeoutError(permitWait),
    'FC_SEMAPHORE_WAIT_TIMEOUT',
    true,
    'calls had no permit within 12 ms',
  ],
  [
    new SemaphoreWaitAbortedError({ ...permitWait, reason: 'stop' }),
    'FC_SEMAPHORE_WAIT_ABORTED',
    false,
    'The wait for a permit of calls was cancelled',
  ],
  [new PoolClosedError('Gateway'), 'FC_CLOSED', false, 'Gateway is closed'],
];

describe('flow-control errors', () => {
  it.each(errors)(
    '%s has a literal code, says if a retry helps and reads as a sentence',
    (...row) => {
      const [error, code, retryable, message] = row;
      expect(error).toBeInstanceOf(FlowControlError);
      expect(error).toMatchObject({ code, retryable, message, name: error.constructor.name });
    },
  );

  it('keep the numbers in fields and the reason of an abort as the cause', () => {
    expect(errors[0]?.[0]).toMatchObject(wait);
    expect(errors[1]?.[0]).toMatchObject({ ...wait, cause: 'stop' });
    expect(errors[3]?.[0]).toMatchObject({ semaphore: 'calls', capacity: 5, queued: 2 });
    expect(errors[5]?.[0]).toMatchObject({ ...permitWait, cause: 'stop' });
  });
});
