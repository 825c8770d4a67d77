import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What operators changed at run time, and the running totals behind conservation. */
export class CreateSettingsAndTotals1767225840000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE setting (
        name       text        PRIMARY KEY,
        value      jsonb       NOT NULL,
        expires_at timestamptz,
        changed_by text        NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now()
      )`);
    // Summed on reading: every writer has a row of its own, so none is hot, and retention can't unbalance the books.
    await runner.query(`
      CREATE TABLE total (
        instance      text     NOT NULL,
        slot          smallint NOT NULL,
        source        text     NOT NULL,
        accepted      bigint   NOT NULL DEFAULT 0,
        acknowledged  bigint   NOT NULL DEFAULT 0,
        dead_lettered bigint   NOT NULL DEFAULT 0,
        discarded     bigint   NOT NULL DEFAULT 0,
        PRIMARY KEY (instance, slot, source)
      ) WITH (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE total');
    await runner.query('DROP TABLE setting');
  }
}
