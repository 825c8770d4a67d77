import type { PipelineRecord } from '../pipeline/record.js';

/**
 * The idempotency keys of records on their way to their verdict in this process. Nothing is left of it after a crash:
 * then the journal alone decides. Bounded by the pipeline's credits: every record in here holds one.
 */
export class RunningKeys {
  private readonly keys = new Set<string>();

  /** Marks the keys of these records; gives the records whose key runs already, their neighbours' included. */
  begin(records: readonly PipelineRecord[]): ReadonlySet<PipelineRecord> {
    let held: Set<PipelineRecord> | undefined;
    for (const record of records) {
      const name = nameOf(record);
      if (name === undefined) continue;
      if (this.keys.has(name)) (held ??= new Set()).add(record);
      else this.keys.add(name);
    }
    return held ?? NONE;
  }

  /** For records that have begun. */
  end(records: readonly PipelineRecord[]): void {
    for (const record of records) {
      const name = nameOf(record);
      if (name !== undefined) this.keys.delete(name);
    }
  }
}

const NONE: ReadonlySet<PipelineRecord> = new Set();

/** Tenants have no spaces in their names, so no two pairs look the same. */
function nameOf({ tenant, idempotencyKey }: PipelineRecord): string | undefined {
  return idempotencyKey && `${tenant} ${idempotencyKey.key}`;
}
