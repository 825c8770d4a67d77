import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import { patchIdleTimers } from './timer-patch.js';

interface Queue {
  throttledUntil: number;
  throttleCheckTimeoutId: unknown;
  pending: unknown[];
  scheduleCheckPendingRequests(): void;
  checkPendingRequests(): void;
}

const logger = { warn: jest.fn() };

const queue = (): Queue => {
  const Constructor = RequestQueue as unknown as new (options: object) => Queue;
  return new Constructor({
    maxInFlightRequests: null,
    requestTimeout: 1000,
    enforceRequestTimeout: false,
    clientId: 'test',
    broker: 'nowhere:1',
    logger: { debug: () => undefined },
  });
};

describe('patchIdleTimers', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('lets an idle queue arm no timer, and a throttled or waiting one arm one (C17)', () => {
    expect(patchIdleTimers(logger)).toBe(true);
    const idle = queue();
    idle.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(0);

    const throttled = queue();
    throttled.throttledUntil = Date.now() + 100;
    throttled.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(200);
    expect(jest.getTimerCount()).toBe(0);

    const waiting = queue();
    waiting.pending.push({});
    waiting.scheduleCheckPendingRequests();
    expect(jest.getTimerCount()).toBe(1);
    expect(logger.warn).not.toHaveBeenCalled();
  });

  it('patches once', () => {
    patchIdleTimers(logger);
    const first = Object.getOwnPropertyDescriptor(
      RequestQueue.prototype,
      'scheduleCheckPendingRequests',
    )?.value as unknown;
    expect(patchIdleTimers(logger)).toBe(true);
    const second = Object.getOwnPropertyDescriptor(
      RequestQueue.prototype,
      'scheduleCheckPendingRequests',
    )?.value as unknown;
    expect(second).toBe(first);
  });

  it('leaves another version as it is, and warns', () => {
    const schedule = (): void => undefined;
    const prototype = { scheduleCheckPendingRequests: schedule };
    expect(patchIdleTimers(logger, prototype)).toBe(false);
    expect(prototype.scheduleCheckPendingRequests).toBe(schedule);
    expect(logger.warn).toHaveBeenCalledTimes(1);
  });
});
