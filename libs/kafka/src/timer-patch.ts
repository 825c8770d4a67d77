import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';
import type { KafkaLogger } from './kafka-logger.js';
import { patchOnce } from './patch-once.js';

/** The method of 2.2.4 that the patch was written for, without comments and white space. */
const KNOWN_SOURCE =
  'scheduleCheckPendingRequests(){letscheduleAt=this.throttledUntil-Date.now()if(!this.throttleCheckTimeoutId){' +
  'if(this.pending.length>0){scheduleAt=scheduleAt>0?scheduleAt:CHECK_PENDING_REQUESTS_INTERVAL}' +
  'this.throttleCheckTimeoutId=setTimeout(()=>{this.throttleCheckTimeoutId=null' +
  'this.checkPendingRequests()},scheduleAt)}}';

const withoutSpace = (source: string): string =>
  source.replaceAll(/\/\/.*$/gm, '').replaceAll(/\s/g, '');

type Schedule = (this: QueueState) => void;
interface QueueState {
  readonly pending: readonly unknown[];
  readonly throttledUntil: number;
}

/**
 * Keeps idle connections from waking up a thousand times a second: kafkajs arms its check again with a negative delay
 * even when nothing is pending and nothing is throttled (6 % of a core for two idle clients, 1 % patched). See `patchOnce`.
 */
export function patchIdleTimers(
  logger: Pick<KafkaLogger, 'warn'>,
  prototype: { scheduleCheckPendingRequests: Schedule } = RequestQueue.prototype,
): boolean {
  const original = prototype.scheduleCheckPendingRequests;
  return patchOnce(prototype, logger, {
    name: 'idle timers',
    isKnown: withoutSpace(original.toString()) === KNOWN_SOURCE,
    apply: () => {
      prototype.scheduleCheckPendingRequests = function scheduleWhenNeeded(): void {
        if (this.pending.length > 0 || this.throttledUntil > Date.now()) original.call(this);
      };
    },
  });
}
