import { randomInt } from 'node:crypto';
import type { ClientConfig } from 'pg';
import { type Clock, type Lot, SystemClock } from '../../libs/flow-control/src/index.js';
import { connectionConfig } from '../../src/database/connection-config.js';
import type { Ending } from '../../src/ledger/acknowledgments.port.js';
import { DeadLetterStore } from '../../src/dead-letters/dead-letter-store.js';
import { PostgresKafkaBooks } from '../../src/ledger/kafka-books.js';
import { KafkaMarks } from '../../src/ledger/kafka-marks.js';
import { Ledger, type LedgerSettings } from '../../src/ledger/ledger.js';
import { PostgresAcknowledgments } from '../../src/ledger/postgres-acknowledgments.js';
import { PostgresJournal } from '../../src/ledger/postgres-journal.js';
import { UuidV7 } from '../../src/ledger/uuid-v7.js';
import { Intake } from '../../src/pipeline/intake.js';
import type { Origin, PipelineRecord } from '../../src/pipeline/record.js';

const clock = new SystemClock();
const ids = new UuidV7(clock);

/** The ledger of one replica as the application wires it, on a real database. */
export interface TestLedger {
  readonly ledger: Ledger;
  readonly journal: PostgresJournal;
  readonly acknowledgments: PostgresAcknowledgments;
  readonly kafkaBooks: PostgresKafkaBooks;
  readonly deadLetters: DeadLetterStore;
  readonly intake: Intake;
  /** Told when a newer process with the same INSTANCE_ID took over. */
  readonly superseded: Error[];
}

export interface TestLedgerOptions extends Partial<Omit<LedgerSettings, 'database'>> {
  readonly clock?: Clock;
  readonly maxLetters?: number;
  readonly config?: Partial<ClientConfig>;
}

/** Wires a ledger without starting it. */
export function makeLedger(url: string, options: TestLedgerOptions = {}): TestLedger {
  const { clock: ledgerClock = clock, maxLetters = 10_000, config, ...overrides } = options;
  const intake = new Intake();
  const settings: LedgerSettings = {
    instanceId: 'replica-1',
    bootId: randomInt(0xffff_ffff).toString(16),
    leaseMs: 15_000,
    partitions: 4,
    maxRecords: 100_000,
    maxBytes: 2 ** 30,
    idempotencyTtlHours: 24,
    destinations: ['postgres', 'kafka', 'callback'],
    ...overrides,
    database: {
      clientConfig: (applicationName) => ({
        ...connectionConfig({ url, ssl: false, applicationName }),
        ...config,
      }),
      whenReady: () => Promise.resolve(),
    },
  };
  const ledger = new Ledger(settings, intake, ledgerClock, Math.random);
  const deadLetters = new DeadLetterStore({ maxLetters });
  return {
    ledger,
    intake,
    deadLetters,
    journal: new PostgresJournal(ledger, ledgerClock),
    acknowledgments: new PostgresAcknowledgments(ledger, deadLetters, ledgerClock, Math.random),
    kafkaBooks: new PostgresKafkaBooks(ledger),
    superseded: [],
  };
}

/** Wires and starts a ledger; its Intake is open (but for nothing) when this resolves. */
export async function startLedger(
  url: string,
  options: TestLedgerOptions = {},
): Promise<TestLedger> {
  const made = makeLedger(url, options);
  await made.ledger.start((error) => made.superseded.push(error));
  await made.ledger.whenOpen();
  made.intake.open('starting');
  return made;
}

/** Another consumer on the same connections: it has Kafka partitions of its own, and its own view of them. */
export function otherConsumer({ ledger, deadLetters }: TestLedger): {
  readonly kafkaBooks: PostgresKafkaBooks;
  readonly acknowledgments: PostgresAcknowledgments;
} {
  const other: Ledger = Object.create(ledger, { kafkaMarks: { value: new KafkaMarks() } });
  return {
    kafkaBooks: new PostgresKafkaBooks(other),
    acknowledgments: new PostgresAcknowledgments(other, deadLetters, clock, Math.random),
  };
}

export const silentOrigin: Origin = { settled: () => undefined };

/** A lot without a pool behind it. */
export function freeLot(count = 1): Lot {
  return {
    pool: 'pipeline',
    count,
    bytes: 0,
    grantedAtMs: 0,
    release: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
}

let made = 0;

/** A record as IngressProcessing hands it to the journal. */
export function makeRecord(fields: Partial<PipelineRecord> = {}): PipelineRecord {
  made += 1;
  const payload = fields.payload ?? { n: made };
  const body = Buffer.from(JSON.stringify(payload));
  return {
    id: ids.next(),
    source: 'rest',
    tenant: 'default',
    priority: 'normal',
    headers: undefined,
    idempotencyKey: undefined,
    expiresAtMs: Infinity,
    receivedAtMs: clock.wallNow(),
    sizeBytes: body.length,
    origin: silentOrigin,
    credit: freeLot(),
    key: undefined,
    partition: made % 4,
    payload,
    body,
    stage: 'IngressProcessing',
    acceptedAtMs: 0,
    attempts: 0,
    failures: undefined,
    verdict: undefined,
    keyBytes: undefined,
    unsafeNumber: undefined,
    deliverTo: undefined,
    terminal: undefined,
    ...fields,
  };
}

export function makeRecords(
  count: number,
  fields: (index: number) => Partial<PipelineRecord> = () => ({}),
): PipelineRecord[] {
  return Array.from({ length: count }, (_, index) => makeRecord(fields(index)));
}

/** The id of a back end of the ledger, by the name of its connection. */
export function backendOf(
  ledger: Ledger,
  name: 'flush' | 'acknowledge' | 'lease' | 'probe',
): number {
  return ledger.sessions[name].pid;
}

/** An acknowledged end. */
export function endingOf(record: PipelineRecord, fields: Partial<Ending> = {}): Ending {
  return {
    record,
    terminal: { status: 'acknowledged' },
    attempts: 1,
    destination: 'postgres',
    ...fields,
  };
}

/** An end with an output row of the table `delivered`. */
export function deliveredEnding(record: PipelineRecord, payload?: string): Ending {
  const output = {
    table: 'delivered',
    key: record.key ?? null,
    payload: payload === undefined ? (record.body ?? Buffer.from('null')) : Buffer.from(payload),
    headers: null,
  };
  return endingOf(record, { output });
}
