import { Inject, Injectable } from '@nestjs/common';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import type { Envelope } from './records.schema.js';

/** The key that order is kept by, for records that have not come to KeyGen: needed when a batch has a refused record. */
@Injectable()
export class KeyReader {
  constructor(@Inject(PIPELINE_DEFINITION) private readonly definition: AnyPipelineDefinition) {}

  /** Undefined for a record without a key, or whose key can't be computed. */
  keyOf({ key, payload }: Envelope): string | undefined {
    if (this.definition.key === undefined) return key;
    try {
      const computed: unknown = this.definition.key(payload as never);
      if (typeof computed === 'number') return String(computed);
      return typeof computed === 'string' ? computed : undefined;
    } catch {
      // KeyGen meets the same and answers for it.
      return undefined;
    }
  }
}
