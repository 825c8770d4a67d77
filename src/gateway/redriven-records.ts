import { Inject, Injectable } from '@nestjs/common';
import type { Lot } from '#libs/flow-control';
import type { TakenLetter } from '../dead-letters/redrive-entry.port.js';
import type { RedriveOrigin } from '../ledger/redriven.js';
import { type AnyPipelineDefinition, PIPELINE_DEFINITION } from '../pipeline/definition.js';
import { NEVER_MS } from '../pipeline/expiry.js';
import type { PipelineRecord, RecordHeaders, Verdict } from '../pipeline/record.js';
import { StageRuntime } from '../pipeline/stage-runtime.js';
import { KafkaRecords, textOf } from './kafka-records.js';

const ACCEPTED: Verdict = { kind: 'accepted' };

/**
 * Makes records of dead letters that are sent again: the same id, key, headers and bytes, at the lowest priority.
 *
 * A REST letter holds what was accepted, preprocessed, so its record has passed IngressProcessing. A Kafka letter holds
 * what its topic holds, so its record has everything before it, as if the broker had brought it again.
 */
@Injectable()
export class RedrivenRecords {
  private readonly kafka: KafkaRecords;

  constructor(
    @Inject(PIPELINE_DEFINITION) definition: AnyPipelineDefinition,
    private readonly runtime: StageRuntime,
  ) {
    this.kafka = new KafkaRecords(definition);
  }

  /** `credit` is the pipeline credit of the record. */
  of(letter: TakenLetter, credit: Lot): PipelineRecord {
    return {
      id: letter.recordId,
      source: letter.position === undefined ? 'rest' : 'kafka',
      tenant: letter.tenant,
      priority: 'bulk',
      headers: headersOf(letter),
      // The key led to this record already.
      idempotencyKey: undefined,
      // Whoever sends it again wants it delivered, however late.
      expiresAtMs: NEVER_MS,
      receivedAtMs: this.runtime.clock.wallNow(),
      sizeBytes: (letter.payload?.length ?? 0) + (letter.headers?.length ?? 0),
      origin: originOf(letter),
      credit,
      key: letter.keyBytes === null ? (letter.key ?? undefined) : textOf(letter.keyBytes),
      keyBytes: letter.keyBytes ?? undefined,
      partition: letter.partition,
      acceptedAtMs: letter.acceptedAtMs,
      attempts: 0,
      failures: undefined,
      deliverTo: letter.deliverTo,
      terminal: undefined,
      ...(letter.position === undefined ? acceptedPart(letter) : this.fetchedPart(letter)),
    };
  }

  private fetchedPart({ payload: value }: TakenLetter) {
    const { payload, body, issues, unsafeNumber } = this.kafka.read(value);
    const verdict: Verdict | undefined =
      issues.length > 0 ? { kind: 'invalid', issues } : undefined;
    return { payload, body, unsafeNumber, verdict, stage: 'Gateway' } as const;
  }
}

function acceptedPart({ payload: body }: TakenLetter) {
  const payload: unknown = body === null ? null : JSON.parse(body.toString());
  const stage = 'IngressProcessing';
  return { payload, body, unsafeNumber: undefined, verdict: ACCEPTED, stage } as const;
}

function headersOf({ headers }: TakenLetter): RecordHeaders | undefined {
  return headers === null ? undefined : (JSON.parse(headers.toString()) as RecordHeaders);
}

/** Nobody waits for it; InFlight tells of its end. */
function originOf({ id, redriveCount, destination, position }: TakenLetter): RedriveOrigin {
  const letter = {
    id,
    redriveCount,
    ...(destination !== undefined && { destination }),
    ...(position !== undefined && { position }),
  };
  return { settled: () => undefined, letter };
}
