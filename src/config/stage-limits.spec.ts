import { STAGE_IDS } from '../pipeline/stage-id.js';
import { loadOptions } from './load-options.js';
import { brokenLimits, configuredLimits, limitNames, limitSettings } from './stage-limits.js';

const optionsWith = (environment: Record<string, string> = {}) =>
  loadOptions({ environment, folder: '/nowhere' }).options;

describe('the limits of stages', () => {
  it('are, for every stage, what is configured', () => {
    const options = optionsWith({ KEYGEN_BUFFER_SIZE: '77', GATEWAY_MAX_REQUESTS_PER_SECOND: '5' });
    expect(configuredLimits(options, 'KeyGen')).toEqual({
      bufferSize: 77,
      creditReplenishRate: 200,
      trigger: 0.8,
      latencyTargetMs: 1000,
    });
    expect(configuredLimits(options, 'Gateway')).toMatchObject({
      maxRequestsPerSecond: 5,
      maxConcurrentRequests: 100,
      latencyTargetMs: 100,
    });
    for (const stage of STAGE_IDS) {
      const values = Object.values(configuredLimits(options, stage));
      expect(values).toHaveLength(limitNames(stage).length);
      expect(values.every((value) => typeof value === 'number')).toBe(true);
    }
  });

  it.each([
    ['KeyGen', { bufferSize: 0 }, '/bufferSize', 'must be a whole number of at least 1 (got 0)'],
    ['KeyGen', { trigger: 1.5 }, '/trigger', 'must be a ratio between 0 and 1 (got 1.5)'],
    ['KeyGen', { maxBufferSize: 5 }, '/maxBufferSize', expect.stringContaining('KeyGen')],
  ] as const)('of %s refuse %j, under the rule of the setting', (stage, change, path, message) => {
    expect(brokenLimits(optionsWith(), stage, change)).toEqual([{ path, message }]);
  });

  it('keep the rules over several settings: a buffer is at least twice the permits', () => {
    expect(brokenLimits(optionsWith(), 'FinalSink', { bufferSize: 1999 })).toEqual([
      {
        path: '',
        message:
          'FINAL_SINK_BUFFER_SIZE must be at least twice FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS (got 1999 and 1000).',
      },
    ]);
    const both = { bufferSize: 100, maxPendingAcknowledgments: 50 };
    expect(brokenLimits(optionsWith(), 'FinalSink', both)).toEqual([]);
  });

  it.each([
    ['AsyncEgress', { maxConcurrentOperations: 51 }, 'EGRESS_MAX_CONCURRENT_OPERATIONS'],
    ['FinalSink', { maxPendingAcknowledgments: 1001 }, 'FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS'],
  ] as const)('of %s can not exceed what the start has prepared for', (stage, change, setting) => {
    const [mistake] = brokenLimits(optionsWith(), stage, change);
    expect(mistake?.message).toContain(`must be at most ${setting}`);
  });

  it('go by the names of their settings', () => {
    expect(limitSettings('IngressProcessing', { maxBufferSize: 5, trigger: 0.5 })).toEqual([
      ['INGRESS_MAX_BUFFER_SIZE', 5],
      ['INGRESS_TRIGGER', 0.5],
    ]);
  });
});
