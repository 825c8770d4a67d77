/** Every metric of ours: what docs/metrics.md lists and what the collector fills. Labels are closed sets. */

export type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  readonly name: string;
  readonly kind: MetricKind;
  readonly help: string;
  readonly labels: readonly string[];
}

/** One line of the table. */
export const metric = (
  name: string,
  kind: MetricKind,
  labels: readonly string[],
  help: string,
): MetricDefinition => ({ name, kind, help, labels });

export const METRICS = {
  pressure: metric(
    'pipeline_pressure_ratio',
    'gauge',
    ['stage'],
    'Own pressure of a stage, 0 to 1.',
  ),
  effectivePressure: metric(
    'pipeline_effective_pressure_ratio',
    'gauge',
    ['stage'],
    'Pressure of a stage with what propagates from the stages behind it, 0 to 1.',
  ),
  overallPressure: metric(
    'pipeline_overall_pressure_ratio',
    'gauge',
    [],
    'Pressure of the pipeline: the largest effective pressure and process input, 0 to 1.',
  ),
  dimension: metric(
    'pipeline_pressure_input_ratio',
    'gauge',
    ['stage', 'dimension'],
    'Inputs of the pressures, 0 to 1: queue, credit, error of each stage; memory, network of stage process.',
  ),
  throttled: metric(
    'pipeline_throttled',
    'gauge',
    ['stage'],
    '1 while callers of the stage are to hold back.',
  ),
  bottleneck: metric(
    'pipeline_bottleneck',
    'gauge',
    ['stage'],
    '1 for the stage that causes the pressure; all 0 when there is none.',
  ),
  creditsCapacity: metric(
    'pipeline_credits_capacity',
    'gauge',
    ['stage'],
    'Credits of a pool, in records; stage pipeline is the pool of the whole pipeline.',
  ),
  creditsAvailable: metric(
    'pipeline_credits_available',
    'gauge',
    ['stage'],
    'Credits that nobody holds: capacity less outstanding.',
  ),
  creditsLimit: metric(
    'pipeline_credits_limit',
    'gauge',
    ['stage'],
    'Credits that may be outstanding at present.',
  ),
  creditsGranted: metric(
    'pipeline_credits_granted_total',
    'counter',
    ['stage'],
    'Credits granted: records that entered.',
  ),
  creditsSpent: metric(
    'pipeline_credits_spent_total',
    'counter',
    ['stage'],
    'Credits given back: records that left, whatever way.',
  ),
  creditsSurplus: metric(
    'pipeline_credits_surplus_total',
    'counter',
    ['stage'],
    'Credits given back that nobody held; a defect if it grows.',
  ),
  creditsBytes: metric(
    'pipeline_credits_outstanding_bytes',
    'gauge',
    ['stage'],
    'Bytes of the records inside.',
  ),
  creditsWaiting: metric(
    'pipeline_credit_waiters',
    'gauge',
    ['stage'],
    'Requests that wait for credits.',
  ),
  oldest: metric(
    'pipeline_credits_oldest_seconds',
    'gauge',
    ['stage'],
    'Age of the oldest credit that is out.',
  ),
  permitsInUse: metric(
    'pipeline_permits_in_use',
    'gauge',
    ['stage'],
    'Gateway: requests that are worked on. AsyncEgress: running calls.',
  ),
  permitsCapacity: metric(
    'pipeline_permits_capacity',
    'gauge',
    ['stage'],
    'How many of them may be at a time.',
  ),
  permitsQueued: metric(
    'pipeline_permit_waiters',
    'gauge',
    ['stage'],
    'Requests that wait for a permit.',
  ),
  permitsRejected: metric(
    'pipeline_permits_rejected_total',
    'counter',
    ['stage'],
    'Requests that were turned away because as many waited for a permit as may.',
  ),
  permitWait: metric(
    'pipeline_permit_wait_seconds',
    'histogram',
    ['stage'],
    'Time that requests waited for a permit; those that found one free are not among them.',
  ),
  pendingAcknowledgments: metric(
    'pipeline_pending_acknowledgments',
    'gauge',
    [],
    'Records at the destination without an answer yet.',
  ),
  pendingCapacity: metric(
    'pipeline_pending_acknowledgments_capacity',
    'gauge',
    [],
    'How many of them may be at a time.',
  ),
  latency: metric(
    'pipeline_stage_latency_seconds',
    'gauge',
    ['stage'],
    'Mean time in a stage over about a second, or the age of the oldest record inside if that is more.',
  ),
  stageShare: metric(
    'pipeline_stage_time_ratio',
    'gauge',
    ['stage', 'state'],
    'Share of the time in which a stage was busy, blocked by the next one, or idle.',
  ),
  recordsIn: metric(
    'pipeline_records_accepted_total',
    'counter',
    [],
    'Records this process accepted durably.',
  ),
  recordsReplayed: metric(
    'pipeline_records_replayed_total',
    'counter',
    [],
    'Records that were not kept, since an earlier one has their Idempotency-Key.',
  ),
  recordsResumed: metric(
    'pipeline_records_resumed_total',
    'counter',
    [],
    'Records of an earlier run, or of dead letters, that this process carried on.',
  ),
  recordsOut: metric(
    'pipeline_records_ended_total',
    'counter',
    ['outcome', 'source'],
    'Records of this process that reached their end.',
  ),
  recordsInFlight: metric(
    'pipeline_records_in_flight',
    'gauge',
    [],
    'Accepted records in memory that have not reached their end.',
  ),
  recordSeconds: metric(
    'pipeline_record_seconds',
    'histogram',
    [],
    'Time from the Gateway to the end of a record.',
  ),
  requestSeconds: metric(
    'pipeline_request_seconds',
    'histogram',
    ['route', 'status'],
    'Time from the header fields of a request to the end of its answer; status is its class, such as 2xx.',
  ),
  refusals: metric(
    'pipeline_admissions_rejected_total',
    'counter',
    ['stage', 'reason', 'signal'],
    'Refused for now (429, 503), by the problem: requests, and records of batches one by one.',
  ),
  triggers: metric(
    'pipeline_triggers_total',
    'counter',
    ['stage', 'signal'],
    'Thresholds that were crossed upwards.',
  ),
  journalRecords: metric(
    'pipeline_journal_records',
    'gauge',
    [],
    'Records in the journal: accepted and not ended.',
  ),
  journalBytes: metric(
    'pipeline_journal_bytes',
    'gauge',
    [],
    'Bytes of the records in the journal.',
  ),
  journalWaiting: metric(
    'pipeline_journal_waiting_records',
    'gauge',
    [],
    'Records that wait for the next flush.',
  ),
  journalBacklog: metric(
    'pipeline_journal_backlog_records',
    'gauge',
    [],
    'Records left by an earlier run or a lost connection that are not loaded yet.',
  ),
  journalFlushes: metric(
    'pipeline_journal_flushes_total',
    'counter',
    [],
    'Transactions that wrote into the journal.',
  ),
  poolConnections: metric(
    'pipeline_database_pool_connections',
    'gauge',
    ['state'],
    'Connections of the pool, in use or idle.',
  ),
  poolWaiting: metric(
    'pipeline_database_pool_waiters',
    'gauge',
    [],
    'Statements that wait for a connection of the pool.',
  ),
  databaseReady: metric('pipeline_database_ready', 'gauge', [], '1 while the database is ready.'),
} as const satisfies Readonly<Record<string, MetricDefinition>>;
