import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Terminal records: one row a record and destination. Plainly acknowledged Kafka records are runs instead. */
export class CreateAcknowledgments1767225660000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // Names of destinations are stored once; every acknowledgment carries the two-byte code.
    await runner.query(`
      CREATE TABLE destination (
        code smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text     NOT NULL UNIQUE
      )`);
    // Range-partitioned by the record id itself: a UUIDv7 begins with its time. The service makes one partition a day,
    // ahead of time. There is no default partition, as DETACH ... CONCURRENTLY is refused while one exists.
    await runner.query(`
      CREATE TABLE acknowledgment (
        record_id       uuid        NOT NULL,
        tenant          text        NOT NULL,
        acknowledged_at timestamptz NOT NULL DEFAULT now(),
        accepted_at     timestamptz NOT NULL,
        destination     smallint    NOT NULL,
        outcome         smallint    NOT NULL,
        attempts        smallint    NOT NULL,
        external_id     text,
        reason          text,
        PRIMARY KEY (record_id, destination)
      ) PARTITION BY RANGE (record_id)`);
    await runner.query(`
      CREATE TABLE acknowledgment_position (
        source          integer     NOT NULL,
        partition       integer     NOT NULL,
        offset_         bigint      NOT NULL,
        tenant          text        NOT NULL,
        acknowledged_at timestamptz NOT NULL DEFAULT now(),
        accepted_at     timestamptz NOT NULL,
        destination     smallint    NOT NULL,
        outcome         smallint    NOT NULL,
        attempts        smallint    NOT NULL,
        external_id     text,
        reason          text,
        PRIMARY KEY (source, partition, offset_, destination)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE acknowledgment_position');
    await runner.query('DROP TABLE acknowledgment');
    await runner.query('DROP TABLE destination');
  }
}
