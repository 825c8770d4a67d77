import { gatewayLatencyTargetMs, gatewayOptions } from './gateway.options.js';

describe('The options of the Gateway', () => {
  it('have the documented defaults', () => {
    expect(gatewayOptions.schema.parse({})).toEqual({
      bufferSize: 1000,
      creditReplenishRate: 100,
      trigger: 0.7,
      maxRequestsPerSecond: 1000,
      maxConcurrentRequests: 100,
      maxQueueSize: 1000,
      maxStreams: 20,
      slowProcessingThresholdMs: 100,
    });
  });

  it('take the slow threshold as latency target unless there is one', () => {
    const options = gatewayOptions.schema.parse({ slowProcessingThresholdMs: '70' });
    expect(gatewayLatencyTargetMs(options)).toBe(70);
    expect(gatewayLatencyTargetMs({ ...options, latencyTargetMs: 40 })).toBe(40);
  });
});
