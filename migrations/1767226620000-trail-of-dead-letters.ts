import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What became of a dead letter after it was written: who sent it again or discarded it, when, and how that ended. */
export class TrailOfDeadLetters1767226620000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Events in their order: {at, event, by?, reason?, destination?}. A default, so that an older version goes on writing letters.
    await runner.query(`ALTER TABLE dead_letter ADD COLUMN trail jsonb NOT NULL DEFAULT '[]'`);
    // Letters that count towards the bound, and those to be taken up: looked at every half second, beside any number of others.
    await runner.query(
      `CREATE INDEX dead_letter_open ON dead_letter (state, id) WHERE state IN ('waiting', 'redriving')`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX dead_letter_open');
    await runner.query('ALTER TABLE dead_letter DROP COLUMN trail');
  }
}
