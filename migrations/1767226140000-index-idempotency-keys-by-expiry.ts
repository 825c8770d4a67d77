import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Expired idempotency keys are found without reading all of them; each record of a batch has a key of its own. */
export class IndexIdempotencyKeysByExpiry1767226140000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Keys come in the order of their expiry, so they go to the right end of it. A replay changes no value: it stays HOT.
    await runner.query('CREATE INDEX idempotency_key_expires_at ON idempotency_key (expires_at)');
    await runner.query('ALTER TABLE idempotency_key DROP COLUMN record_ids');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE idempotency_key ADD COLUMN record_ids uuid[]');
    await runner.query('DROP INDEX idempotency_key_expires_at');
  }
}
