import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The deadline of a record, so that it holds across a restart. Null, as of all rows before: none. Instant on any size. */
export class AddDeadlineToJournal1767226800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE journal ADD COLUMN expires_at timestamptz');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE journal DROP COLUMN expires_at');
  }
}
