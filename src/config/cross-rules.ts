import type { AppOptions } from './app-options.js';
import { brokenSourceRules } from './kafka-settings.js';
import { shownValue } from './option.js';
import { isLoopback } from './service.options.js';
import { brokenRulesOf } from './sink-rules.js';
import { sinksOf } from './sinks-of.js';
import { readTenantsFile } from './tenants-file.js';

type GroupName = keyof AppOptions;

/** A rule over several settings; looked at when the groups it reads are right in themselves. */
interface CrossRule {
  readonly groups: readonly GroupName[];
  /** A sentence with names, rule and values (or several), or undefined when the rule holds. */
  broken(options: AppOptions): string | readonly string[] | undefined;
}

const RULES: readonly CrossRule[] = [
  {
    groups: ['service'],
    broken: ({ service }) =>
      service.shutdownAnnounceMs < service.shutdownTimeoutMs
        ? undefined
        : below('SHUTDOWN_ANNOUNCE_MS', service.shutdownAnnounceMs, {
            than: 'SHUTDOWN_TIMEOUT_MS',
            value: service.shutdownTimeoutMs,
          }),
  },
  {
    groups: ['service'],
    broken: ({ service }) =>
      isLoopback(service.host) || service.adminToken !== undefined
        ? undefined
        : `ADMIN_TOKEN must be set when HOST is not the loopback (got HOST ${shownValue(service.host)} and no token).`,
  },
  {
    groups: ['service'],
    broken: ({ service }) =>
      service.port !== service.adminPort || service.port === 0
        ? undefined
        : `ADMIN_PORT must differ from PORT (got ${service.port} for both).`,
  },
  {
    groups: ['service'],
    broken: ({ service: { tenantsFile } }) =>
      tenantsFile === undefined ? undefined : readTenantsFile(tenantsFile).mistakes,
  },
  {
    groups: ['control'],
    broken: ({ control }) =>
      control.moderatePressureThreshold < control.highPressureThreshold
        ? undefined
        : below('MODERATE_PRESSURE_THRESHOLD', control.moderatePressureThreshold, {
            than: 'HIGH_PRESSURE_THRESHOLD',
            value: control.highPressureThreshold,
          }),
  },
  {
    groups: ['control'],
    broken: ({ control }) =>
      control.highPressureThreshold < control.criticalPressureThreshold
        ? undefined
        : below('HIGH_PRESSURE_THRESHOLD', control.highPressureThreshold, {
            than: 'CRITICAL_PRESSURE_THRESHOLD',
            value: control.criticalPressureThreshold,
          }),
  },
  {
    groups: ['pipeline'],
    broken: ({ pipeline }) =>
      pipeline.bufferMemoryMinBytes <= pipeline.bufferMemoryMaxBytes
        ? undefined
        : `BUFFER_MEMORY_MIN_BYTES must be at most BUFFER_MEMORY_MAX_BYTES (got ${pipeline.bufferMemoryMinBytes} and ${pipeline.bufferMemoryMaxBytes}).`,
  },
  {
    groups: ['bounds'],
    broken: ({ bounds }) =>
      bounds.maxRecordBytes <= bounds.maxBodyBytes
        ? undefined
        : `MAX_RECORD_BYTES must be at most MAX_BODY_BYTES (got ${bounds.maxRecordBytes} and ${bounds.maxBodyBytes}).`,
  },
  {
    groups: ['egress'],
    broken: ({ egress }) =>
      egress.baseRetryDelayMs <= egress.maxRetryDelayMs
        ? undefined
        : `EGRESS_BASE_RETRY_DELAY_MS must be at most EGRESS_MAX_RETRY_DELAY_MS (got ${egress.baseRetryDelayMs} and ${egress.maxRetryDelayMs}).`,
  },
  {
    groups: ['egress'],
    broken: ({ egress }) =>
      twice('EGRESS_BUFFER_SIZE', egress.bufferSize, {
        of: 'EGRESS_MAX_CONCURRENT_OPERATIONS',
        value: egress.maxConcurrentOperations,
      }),
  },
  {
    groups: ['egress'],
    broken: ({ egress }) => brokenBreaker('EGRESS', egress),
  },
  {
    groups: ['finalSink'],
    broken: ({ finalSink }) => brokenBreaker('FINAL_SINK', finalSink),
  },
  {
    // What is delivered must be answered while the lease lasts, or another replica delivers it as well.
    groups: ['finalSink', 'database'],
    broken: ({ finalSink, database }) =>
      finalSink.acknowledgmentTimeoutMs * 3 <= database.leaseMs * 2
        ? undefined
        : `FINAL_SINK_ACKNOWLEDGMENT_TIMEOUT_MS must be at most two thirds of LEASE_MS (got ${finalSink.acknowledgmentTimeoutMs} and ${database.leaseMs}).`,
  },
  {
    groups: ['finalSink'],
    broken: ({ finalSink }) =>
      twice('FINAL_SINK_BUFFER_SIZE', finalSink.bufferSize, {
        of: 'FINAL_SINK_MAX_PENDING_ACKNOWLEDGMENTS',
        value: finalSink.maxPendingAcknowledgments,
      }),
  },
  {
    groups: ['kafka'],
    broken: ({ kafka }) =>
      kafka.inputTopics === undefined || kafka.brokers !== undefined
        ? undefined
        : `KAFKA_BROKERS must be set when KAFKA_INPUT_TOPICS is (got ${shownValue(kafka.inputTopics.join(','))} and no brokers).`,
  },
  {
    groups: ['kafka', 'sink', 'finalSink'],
    broken: (options) =>
      options.sink.sinks === undefined
        ? undefined
        : sinksOf({ name: '' }, options).flatMap((sink) =>
            brokenRulesOf(sink, options, `SINKS=${options.sink.sinks?.join()}`),
          ),
  },
  {
    groups: ['kafka'],
    broken: ({ kafka }) => {
      const login = {
        KAFKA_SASL_MECHANISM: kafka.saslMechanism,
        KAFKA_SASL_USERNAME: kafka.saslUsername,
        KAFKA_SASL_PASSWORD: kafka.saslPassword,
      };
      return together(login);
    },
  },
  {
    groups: ['kafka'],
    broken: ({ kafka }) => together({ KAFKA_SSL_CERT: kafka.sslCert, KAFKA_SSL_KEY: kafka.sslKey }),
  },
  {
    groups: ['kafka'],
    broken: ({ kafka }) => {
      const files = {
        KAFKA_SSL_CA: kafka.sslCa,
        KAFKA_SSL_CERT: kafka.sslCert,
        KAFKA_SSL_KEY: kafka.sslKey,
      };
      const [name] = kafka.ssl === 'off' ? givenOf(files) : [];
      return name && `KAFKA_SSL must be require or verify-full when ${name} is set (got "off").`;
    },
  },
  { groups: ['kafka'], broken: brokenSourceRules },
];

/** The sentences of the rules that do not hold; rules over a group that is wrong in itself are left out. */
export function brokenRules(options: AppOptions, wrong: ReadonlySet<string>): string[] {
  return RULES.flatMap((rule) => {
    if (rule.groups.some((group) => wrong.has(group))) return [];
    return rule.broken(options) ?? [];
  });
}

const givenOf = (settings: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(settings).filter((name) => settings[name] !== undefined);

const missingOf = (settings: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(settings).filter((name) => settings[name] === undefined);

/** All of them or none. */
function together(settings: Readonly<Record<string, unknown>>): string | undefined {
  const missing = missingOf(settings);
  const given = givenOf(settings);
  if (missing.length === 0 || given.length === 0) return undefined;
  return `${missing.join(' and ')} must be set together with ${given.join(' and ')}.`;
}

function brokenBreaker(
  stage: string,
  {
    breakerOpenMs,
    breakerMaxOpenMs,
  }: Pick<AppOptions['egress'], 'breakerOpenMs' | 'breakerMaxOpenMs'>,
): string | undefined {
  if (breakerOpenMs <= breakerMaxOpenMs) return undefined;
  return `${stage}_BREAKER_OPEN_MS must be at most ${stage}_BREAKER_MAX_OPEN_MS (got ${breakerOpenMs} and ${breakerMaxOpenMs}).`;
}

function below(name: string, value: number, other: { than: string; value: number }): string {
  return `${name} must be less than ${other.than} (got ${value} and ${other.value}).`;
}

/** A reaction halves the credits; half of them must still cover the work in service, or a healthy stage stays throttled. */
function twice(
  name: string,
  value: number,
  other: { of: string; value: number },
): string | undefined {
  if (value >= 2 * other.value) return undefined;
  return `${name} must be at least twice ${other.of} (got ${value} and ${other.value}).`;
}
