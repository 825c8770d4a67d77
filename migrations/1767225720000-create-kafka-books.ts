import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The books of Kafka intake: what is finished, as runs of offsets and a watermark a partition. */
export class CreateKafkaBooks1767225720000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // One row an incarnation of a topic, so that a topic that was made again never takes its records for old ones.
    await runner.query(`
      CREATE TABLE kafka_source (
        source      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic       text    NOT NULL,
        incarnation integer NOT NULL,
        UNIQUE (topic, incarnation)
      )`);
    await runner.query(`
      CREATE TABLE acknowledgment_range (
        source          integer     NOT NULL,
        partition       integer     NOT NULL,
        first_offset    bigint      NOT NULL,
        last_offset     bigint      NOT NULL,
        record_count    bigint      NOT NULL,
        acknowledged_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (source, partition, first_offset),
        CHECK (last_offset >= first_offset)
      ) WITH (
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 20000,
        autovacuum_vacuum_cost_delay = 0,
        vacuum_truncate = off
      )`);
    // Updated at every flush: room in the page and no index on a changed column keep the updates HOT.
    await runner.query(`
      CREATE TABLE kafka_watermark (
        source             integer NOT NULL,
        partition          integer NOT NULL,
        epoch              bigint  NOT NULL,
        start_offset       bigint  NOT NULL,
        low                bigint  NOT NULL,
        done_above         bytea   NOT NULL DEFAULT '',
        gaps               bigint  NOT NULL DEFAULT 0,
        boundary_timestamp bigint  NOT NULL DEFAULT 0,
        PRIMARY KEY (source, partition)
      ) WITH (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE kafka_watermark');
    await runner.query('DROP TABLE acknowledgment_range');
    await runner.query('DROP TABLE kafka_source');
  }
}
