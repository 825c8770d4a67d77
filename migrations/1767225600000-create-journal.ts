import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The books of REST intake: accepted records, their owners, and what was already answered. */
export class CreateJournal1767225600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // A map, not a queue: rows come and go by primary key and are never updated, so the page stays full (fill factor 100).
    // Dead rows cost space only; the ledger vacuums by itself, these thresholds are the net below it.
    // `seq` keeps CACHE 1: it is the order of acceptance across connections.
    await runner.query(`
      CREATE TABLE journal (
        seq         bigint      GENERATED ALWAYS AS IDENTITY,
        accepted_at timestamptz NOT NULL DEFAULT now(),
        record_id   uuid        PRIMARY KEY,
        partition   smallint    NOT NULL,
        priority    smallint    NOT NULL DEFAULT 0,
        tenant      text        NOT NULL,
        key         text,
        headers     bytea,
        payload     bytea       NOT NULL
      ) WITH (
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 50000,
        autovacuum_vacuum_cost_delay = 0,
        autovacuum_vacuum_insert_threshold = -1,
        vacuum_truncate = off,
        toast.autovacuum_vacuum_scale_factor = 0,
        toast.autovacuum_vacuum_threshold = 50000,
        toast.autovacuum_vacuum_cost_delay = 0,
        toast.vacuum_truncate = off,
        toast_tuple_target = 8160
      )`);
    await runner.query(`
      CREATE TABLE handover (
        partition smallint NOT NULL,
        xid       xid8     NOT NULL,
        seq       bigint   NOT NULL,
        record_id uuid     NOT NULL
      ) WITH (
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 10000,
        autovacuum_vacuum_cost_delay = 0,
        vacuum_truncate = off
      )`);
    await runner.query('CREATE INDEX handover_partition_xid ON handover (partition, xid)');
    // UNIQUE makes `token` a key column: a change of owner then waits for flushes that hold the row FOR KEY SHARE.
    await runner.query('CREATE SEQUENCE lease_token AS bigint');
    await runner.query(`
      CREATE TABLE partition_lease (
        partition  smallint    PRIMARY KEY,
        token      bigint      NOT NULL UNIQUE,
        owner      text        NOT NULL,
        expires_at timestamptz NOT NULL
      ) WITH (fillfactor = 50)`);
    // record_ids: a request of many records has one key, kept with its first record.
    await runner.query(`
      CREATE TABLE idempotency_key (
        tenant          text        NOT NULL,
        idempotency_key text        NOT NULL,
        fingerprint     bytea       NOT NULL,
        record_id       uuid        NOT NULL,
        record_ids      uuid[],
        expires_at      timestamptz NOT NULL,
        PRIMARY KEY (tenant, idempotency_key)
      ) WITH (fillfactor = 90)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE idempotency_key');
    await runner.query('DROP TABLE partition_lease');
    await runner.query('DROP SEQUENCE lease_token');
    await runner.query('DROP TABLE handover');
    await runner.query('DROP TABLE journal');
  }
}
