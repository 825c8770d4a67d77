import { Logger } from '@nestjs/common';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Pool } from 'pg';
import { SystemClock } from '../../libs/flow-control/src/index.js';
import { createDataSource } from '../../src/database/data-source.js';
import { EmbeddedPostgres } from '../../src/database/embedded/embedded-postgres.js';
import { migrate } from '../../src/database/migrate.js';
import { LedgerUnavailableError } from '../../src/ledger/errors/ledger-unavailable.error.js';
import { OutcomeUnknownError } from '../../src/ledger/errors/outcome-unknown.error.js';
import type { PipelineRecord } from '../../src/pipeline/record.js';
import {
  endingOf,
  makeRecord,
  makeRecords,
  startLedger,
  type TestLedger,
} from '../support/ledger.js';
import { until } from '../support/until.js';

Logger.overrideLogger(false);

const START_MS = 60_000;

describe('ledger and a server that freezes', () => {
  const clock = new SystemClock();
  let folder: string;
  let server: EmbeddedPostgres;
  let pool: Pool;
  let test: TestLedger;
  let frozen: number[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'penstock-frozen-'));
    // As root, the server runs as another user, who must get in.
    chmodSync(folder, 0o755);
    server = await EmbeddedPostgres.start(path.join(folder, 'data'), clock);
    const source = createDataSource({
      url: server.url,
      ssl: false,
      poolSize: 2,
      applicationName: 'frozen',
    });
    await source.initialize();
    await migrate(source, Date.now());
    await source.destroy();
    pool = new Pool({ connectionString: server.url });
    pool.on('error', () => undefined);
  }, START_MS);

  afterAll(async () => {
    thaw();
    await pool.end();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }, START_MS);

  beforeEach(async () => {
    test = await startLedger(server.url);
  });
  afterEach(async () => {
    thaw();
    await test.ledger.stop();
  });

  /** Stops the postmaster, so that nobody can connect, and every back end of the ledger. */
  const freeze = async (): Promise<void> => {
    const { rows } = await pool.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'penstock ledger%'`,
    );
    frozen = [server.pid, ...rows.map(({ pid }) => pid)];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
  };
  const thaw = (): void => {
    for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT');
  };
  const journalIds = async (): Promise<string[]> =>
    (await pool.query<{ id: string }>('SELECT record_id AS id FROM journal')).rows.map(
      ({ id }) => id,
    );

  it('answers its callers, closes intake, holds ends, and settles the truth when the server is back', async () => {
    const [kept, doubtful] = makeRecords(2) as [PipelineRecord, PipelineRecord];
    await test.journal.append([kept]);
    await freeze();
    const finished = test.acknowledgments.finish([endingOf(kept)]);
    await expect(test.journal.append([doubtful])).rejects.toThrow(OutcomeUnknownError);
    expect(test.intake.closed?.reason).toBe('database-away');
    await expect(test.journal.append([makeRecord()])).rejects.toThrow(LedgerUnavailableError);
    thaw();
    await until(() => test.intake.closed === undefined, { what: 'intake to open' });
    await expect(finished).resolves.toEqual([]);
    expect(await journalIds()).not.toContain(kept.id);
    // Its flush was sent: it is stored now, later, or never; what is stored is known here.
    await until(
      async () => {
        await test.journal.append([makeRecord()]);
        const known = test.journal.snapshot().records;
        return known === (await journalIds()).length;
      },
      { what: 'the journal and the memory to agree' },
    );
  });

  it('stops although the server is silent', async () => {
    await freeze();
    await test.ledger.stop();
    expect(test.intake.closed?.reason).toBe('stopping');
    await expect(test.journal.append([makeRecord()])).rejects.toThrow(LedgerUnavailableError);
  });

  it('notices the loss without any traffic', async () => {
    await freeze();
    await until(() => test.intake.closed !== undefined, { what: 'the idle probe' });
    expect(test.intake.closed?.reason).toBe('database-away');
    thaw();
    await until(() => test.intake.closed === undefined, { what: 'intake to open' });
  });
});
