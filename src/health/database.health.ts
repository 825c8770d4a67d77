import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Database } from '../database/database.js';
import { Journal } from '../ledger/journal.port.js';

/** Whether the books can be reached, and how full the journal is. */
@Injectable()
export class DatabaseHealthIndicator {
  constructor(
    private readonly health: HealthIndicatorService,
    private readonly database: Database,
    private readonly journal: Journal,
  ) {}

  databaseReady(): HealthIndicatorResult<'database'> {
    const session = this.health.check('database');
    const { state, embedded } = this.database;
    if (state !== 'ready') return session.down({ state, embedded });
    return this.database.storageLow()
      ? session.down({ state, embedded, message: 'The disk is nearly full.' })
      : session.up({ state, embedded });
  }

  /** A full journal refuses new records and carries the old ones on: degraded. */
  journalHasRoom(): HealthIndicatorResult<'journal'> {
    const session = this.health.check('journal');
    const { records, maxRecords, bytes, maxBytes, backlog } = this.journal.snapshot();
    const level = { records, maxRecords, bytes, maxBytes, backlog };
    return this.journal.isFull ? session.degraded(level) : session.up(level);
  }
}
