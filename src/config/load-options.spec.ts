import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigurationError, type Environment, loadOptions } from './load-options.js';

const NOWHERE = '/nowhere';

function load(environment: Environment) {
  return loadOptions({ environment, folder: NOWHERE });
}

function mistakes(environment: Environment): readonly string[] {
  try {
    load(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('loadOptions', () => {
  it('starts from an empty environment with the defaults of the design', () => {
    const { options, warnings } = load({});
    expect(options.service).toMatchObject({ port: 3000, host: '127.0.0.1', logLevel: 'info' });
    expect(options.pipeline.pipelineBufferSize).toBe(10_000);
    expect(warnings).toEqual([]);
  });

  it('freezes the result to its depth (C3)', () => {
    const { options } = load({});
    expect(Object.isFrozen(options)).toBe(true);
    expect(Object.values(options).every((group) => Object.isFrozen(group))).toBe(true);
  });

  it('takes an empty variable as not set (C1)', () => {
    expect(load({ PORT: '' }).options.service.port).toBe(3000);
  });

  it('lists all mistakes together, each with variable, rule and value (C2)', () => {
    expect(
      mistakes({
        PORT: '80000',
        MONITORING_INTERVAL_MS: 'fast',
        LOG_LEVEL: 'loud',
        HOST: '0.0.0.0',
      }),
    ).toEqual([
      'PORT must be a whole number between 0 and 65535 (got "80000").',
      'LOG_LEVEL must be one of fatal, error, warn, info, debug, trace (got "loud").',
      'MONITORING_INTERVAL_MS must be a whole number of at least 10 (got "fast").',
    ]);
  });

  it('looks at rules over several settings beside mistakes of other groups (C2)', () => {
    expect(mistakes({ HOST: '0.0.0.0', MONITORING_INTERVAL_MS: 'fast' })).toHaveLength(2);
  });

  it.each([
    [
      { SHUTDOWN_ANNOUNCE_MS: '30000' },
      'SHUTDOWN_ANNOUNCE_MS must be less than SHUTDOWN_TIMEOUT_MS (got 30000 and 25000).',
    ],
    [
      { HOST: '0.0.0.0' },
      'ADMIN_TOKEN must be set when HOST is not the loopback (got HOST "0.0.0.0" and no token).',
    ],
    [
      { MODERATE_PRESSURE_THRESHOLD: '0.8' },
      'MODERATE_PRESSURE_THRESHOLD must be less than HIGH_PRESSURE_THRESHOLD (got 0.8 and 0.8).',
    ],
    [
      { HIGH_PRESSURE_THRESHOLD: '0.95' },
      'HIGH_PRESSURE_THRESHOLD must be less than CRITICAL_PRESSURE_THRESHOLD (got 0.95 and 0.9).',
    ],
    [
      { BUFFER_MEMORY_MIN_BYTES: '2000000000' },
      'BUFFER_MEMORY_MIN_BYTES must be at most BUFFER_MEMORY_MAX_BYTES (got 2000000000 and 1073741824).',
    ],
    [
      { MAX_RECORD_BYTES: '2000000' },
      'MAX_RECORD_BYTES must be at most MAX_BODY_BYTES (got 2000000 and 1048576).',
    ],
    [
      { EGRESS_BASE_RETRY_DELAY_MS: '3000' },
      'EGRESS_BASE_RETRY_DELAY_MS must be at most EGRESS_MAX_RETRY_DELAY_MS (got 3000 and 2000).',
    ],
    [
      { EGRESS_BREAKER_OPEN_MS: '40000' },
      'EGRESS_BREAKER_OPEN_MS must be at most EGRESS_BREAKER_MAX_OPEN_MS (got 40000 and 30000).',
    ],
    [
      { FINAL_SINK_BREAKER_MAX_OPEN_MS: '999' },
      'FINAL_SINK_BREAKER_OPEN_MS must be at most FINAL_SINK_BREAKER_MAX_OPEN_MS (got 1000 and 999).',
    ],
    [
      { EGRESS_BREAKER_RATIO: '0' },
      'EGRESS_BREAKER_RATIO must be a ratio above 0, at most 1 (got 0).',
    ],
    [
      { EGRESS_BUFFER_SIZE: '99' },
      'EGRESS_BUFFER_SIZE must be at least twice EGRESS_MAX_CONCURRENT_OPERATIONS (got 99 and 50).',
    ],
    [
      { FINAL_SINK_BUFFER_SIZE: '1999' },
      'FINAL_SINK_BUFFER_SIZE must be at least twice FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS (got 1999 and 1000).',
    ],
    [
      { LEASE_MS: '12000' },
      'FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS must be at most two thirds of LEASE_MS (got 10000 and 12000).',
    ],
  ])('refuses %j, which breaks a rule over several settings', (environment, sentence) => {
    expect(mistakes(environment)).toEqual([sentence]);
  });

  it('accepts another host with a token', () => {
    expect(mistakes({ HOST: '0.0.0.0', ADMIN_TOKEN: 'secret-token' })).toEqual([]);
  });

  it('never shows a secret, neither in a mistake nor in the listing', () => {
    expect(mistakes({ DATABASE_URL: 'mysql://me:pass-word@host/db' }).join()).not.toContain(
      'pass-word',
    );
    const { settings } = load({
      ADMIN_TOKEN: 'secret-token',
      DATABASE_URL: 'postgres://me:pass-word@host/db',
    });
    expect(JSON.stringify(settings)).not.toMatch(/secret-token|pass-word/);
    expect(settings).toContainEqual({
      name: 'ADMIN_TOKEN',
      shown: '(set, not shown)',
      source: 'environment',
    });
  });

  it('warns of what looks like a setting and is none, with the one it may mean (C4)', () => {
    expect(
      load({ SHUTDOWN_TIMEOUT: '1', MONITORNG_INTERVAL_MS: '5', PATH: '/bin', HOME: '/' }).warnings,
    ).toEqual([
      'SHUTDOWN_TIMEOUT is not a setting and is ignored. Did you mean SHUTDOWN_TIMEOUT_MS?',
      'MONITORNG_INTERVAL_MS is not a setting and is ignored. Did you mean MONITORING_INTERVAL_MS?',
    ]);
  });
});

describe('loadOptions with a file .env', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'penstock-options-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('takes the environment before .env and .env before the default, and says which (C1)', () => {
    writeFileSync(join(folder, '.env'), 'PORT=4000\nLOG_LEVEL="warn"\n');
    const { options, settings } = loadOptions({ environment: { PORT: '5000' }, folder });
    expect(options.service).toMatchObject({ port: 5000, logLevel: 'warn', host: '127.0.0.1' });
    const sources = Object.fromEntries(settings.map(({ name, source }) => [name, source]));
    expect(sources).toMatchObject({ PORT: 'environment', LOG_LEVEL: '.env', HOST: 'default' });
  });

  it('reports an .env that can not be read as a mistake', () => {
    expect(() => loadOptions({ environment: {}, folder: '/dev/null' })).toThrow(ConfigurationError);
  });
});
