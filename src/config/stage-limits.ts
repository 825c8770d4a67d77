/**
 * The limits of a stage that an operator may change while it runs: the same settings, under the same rules, as at the
 * start. What a limit is built for at the start (connections, queues of a client) can be lowered and restored, not raised.
 */
import { gatewayLatencyTargetMs } from '../gateway/gateway.options.js';
import type { LimitValues } from '../pipeline/live-limits.js';
import type { StageId } from '../pipeline/stage-id.js';
import { appOptionGroups, type AppOptions } from './app-options.js';
import { brokenRules } from './cross-rules.js';
import { environmentName } from './environment-name.js';
import type { OptionsGroup } from './option.js';

export type LimitName = keyof LimitValues;

/** What an operator has changed of one stage. */
export type LimitOverride = Readonly<Partial<Record<LimitName, number>>>;

export interface LimitMistake {
  /** JSON pointer of the field; '' for a rule over several. */
  readonly path: string;
  readonly message: string;
}

type GroupName = 'gateway' | 'keygen' | 'ingress' | 'egress' | 'finalSink';

const COMMON = ['bufferSize', 'creditReplenishRate', 'trigger', 'latencyTargetMs'] as const;

const TABLE: Readonly<
  Record<
    StageId,
    { readonly group: GroupName; readonly own: readonly LimitName[]; readonly fixed?: LimitName }
  >
> = {
  Gateway: { group: 'gateway', own: ['maxRequestsPerSecond', 'maxConcurrentRequests'] },
  KeyGen: { group: 'keygen', own: [] },
  IngressProcessing: { group: 'ingress', own: ['maxBufferSize'] },
  AsyncEgress: {
    group: 'egress',
    own: ['maxConcurrentOperations'],
    fixed: 'maxConcurrentOperations',
  },
  FinalSink: {
    group: 'finalSink',
    own: ['maxPendingAcknowledgments'],
    fixed: 'maxPendingAcknowledgments',
  },
};

/** The names of the limits of a stage. */
export function limitNames(stage: StageId): readonly LimitName[] {
  return [...COMMON, ...TABLE[stage].own];
}

/** What holds without an override. */
export function configuredLimits(options: AppOptions, stage: StageId): LimitValues {
  const group: Partial<LimitValues> = options[TABLE[stage].group];
  const values = Object.fromEntries(limitNames(stage).map((name) => [name, group[name]]));
  if (stage === 'Gateway') values['latencyTargetMs'] = gatewayLatencyTargetMs(options.gateway);
  return values as unknown as LimitValues;
}

/** Changed limits under the names of their settings. */
export function limitSettings(
  stage: StageId,
  override: LimitOverride,
): readonly (readonly [name: string, value: number])[] {
  const { prefix } = appOptionGroups[TABLE[stage].group];
  return Object.entries(override).map(([name, value]) => [environmentName(prefix, name), value]);
}

/** What is wrong with an override; empty when it may hold. */
export function brokenLimits(
  options: AppOptions,
  stage: StageId,
  override: LimitOverride,
): readonly LimitMistake[] {
  const known = new Set<string>(limitNames(stage));
  const mistakes = Object.entries(override).flatMap(([name, value]): LimitMistake[] => {
    const message = known.has(name)
      ? brokenValue(options, stage, { name: name as LimitName, value })
      : `is no limit of ${stage} that can change while it runs; ${[...known].join(', ')} are`;
    return message === undefined ? [] : [{ path: `/${name}`, message }];
  });
  if (mistakes.length > 0) return mistakes;
  const { group } = TABLE[stage];
  const changed = { ...options, [group]: { ...options[group], ...override } };
  return brokenRules(changed, new Set()).map((message) => ({ path: '', message }));
}

function brokenValue(
  options: AppOptions,
  stage: StageId,
  { name, value }: { name: LimitName; value: number },
): string | undefined {
  const { group, fixed } = TABLE[stage];
  const { prefix, schema }: OptionsGroup = appOptionGroups[group];
  const result = schema.shape[name]!['~standard'].validate(value);
  const issue = result instanceof Promise ? undefined : result.issues?.[0];
  if (issue !== undefined) return issue.message;
  const most = configuredLimits(options, stage)[name];
  if (name !== fixed || most === undefined || value <= most) return undefined;
  return `must be at most ${environmentName(prefix, name)}, for which the start has prepared (got ${value} and ${most})`;
}
