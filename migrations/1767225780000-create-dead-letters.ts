import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Records that ended without a delivery, with every attempt, and the jobs that send them again. */
export class CreateDeadLetters1767225780000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // record_id is a UUID or a Kafka position, hence text. One letter a record and destination: writing it twice is harmless.
    // destination '' = the record never reached the destinations (a NULL would not be unique).
    // key_bytes: the exact key where text can't keep it (Kafka keys that aren't UTF-8 or hold U+0000).
    await runner.query(`
      CREATE TABLE dead_letter (
        id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        record_id        text        NOT NULL,
        destination      text        NOT NULL DEFAULT '',
        tenant           text        NOT NULL,
        source           integer,
        source_partition integer,
        source_offset    bigint,
        key              text,
        key_bytes        bytea,
        partition        smallint,
        priority         smallint    NOT NULL DEFAULT 0,
        headers          bytea,
        payload          bytea,
        reason           text        NOT NULL,
        stage            text        NOT NULL,
        attempts         jsonb       NOT NULL DEFAULT '[]',
        accepted_at      timestamptz NOT NULL,
        dead_lettered_at timestamptz NOT NULL DEFAULT now(),
        redrive_count    integer     NOT NULL DEFAULT 0,
        state            text        NOT NULL DEFAULT 'waiting'
          CHECK (state IN ('waiting', 'redriving', 'redriven', 'discarded')),
        UNIQUE (record_id, destination),
        CHECK (num_nulls(source, source_partition, source_offset) IN (0, 3))
      )`);
    // Browsing pages by (dead_lettered_at, id), newest first, alone or within one reason or stage.
    await runner.query('CREATE INDEX dead_letter_time ON dead_letter (dead_lettered_at, id)');
    await runner.query(
      'CREATE INDEX dead_letter_reason ON dead_letter (reason, dead_lettered_at, id)',
    );
    await runner.query(
      'CREATE INDEX dead_letter_stage ON dead_letter (stage, dead_lettered_at, id)',
    );
    // Hash, as a key may be longer than a btree entry (2,704 bytes), and a letter must always be writable.
    await runner.query('CREATE INDEX dead_letter_key ON dead_letter USING hash (key)');
    await runner.query(`
      CREATE TABLE redrive_job (
        id              bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        filter          jsonb            NOT NULL,
        rate_per_second double precision NOT NULL CHECK (rate_per_second > 0),
        state           text             NOT NULL DEFAULT 'planned'
          CHECK (state IN ('planned', 'running', 'finished', 'cancelled', 'failed')),
        planned         bigint           NOT NULL DEFAULT 0,
        redriven        bigint           NOT NULL DEFAULT 0,
        failed          bigint           NOT NULL DEFAULT 0,
        last_id         bigint           NOT NULL DEFAULT 0,
        error           text,
        requested_by    text             NOT NULL,
        requested_at    timestamptz      NOT NULL DEFAULT now(),
        finished_at     timestamptz
      ) WITH (fillfactor = 50)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE redrive_job');
    await runner.query('DROP TABLE dead_letter');
  }
}
