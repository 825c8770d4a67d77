import type { Admission, BackPressureEvents, RecordRefusal } from '#libs/back-pressure';
import type { RandomSource } from '#libs/flow-control';
import type { PipelineRecord } from '../pipeline/record.js';
import type { AdmissionHook } from './admission.hook.js';
import { BatchResults } from './batch-results.js';
import type { IntakeContext } from './intake-context.js';
import type { KeyReader } from './key-reader.js';
import { type Problem, problemFor } from './problems.js';
import { type Candidate, type RecordIntake, verdictOf } from './record-intake.js';
import { replayedIdOf } from './replays.js';
import { RequestError } from './request-error.js';

/** A record of a batch, and its place in it. */
export interface BatchCandidate extends Candidate {
  readonly index: number;
}

export interface BatchParts {
  readonly intake: RecordIntake;
  readonly hook: AdmissionHook;
  readonly keys: KeyReader;
  readonly context: IntakeContext;
  readonly random: RandomSource;
  readonly events: BackPressureEvents;
}

/**
 * The records of one batch request on their way to their verdicts.
 *
 * BR1 one result a record.
 * BR2 after a refused record no later record of its key is taken in this request: a key has no hole. One slice is
 *     submitted at a time, so what was refused is known before the next one goes.
 */
export class BatchRun {
  readonly results: BatchResults;
  private readonly refusedKeys = new Set<string>();

  constructor(private readonly parts: BatchParts) {
    const onRefused = (problem: Problem): void => {
      parts.events.emit('recordRefused', refusalOf(problem));
    };
    this.results = new BatchResults(parts.random, onRefused, parts.context.form.payloadPath);
  }

  /** Those that may be tried: the others are refused here, since their key has a hole, bulk is not taken, or it is paused. */
  triable(candidates: readonly BatchCandidate[]): readonly BatchCandidate[] {
    const { hook, context } = this.parts;
    const refusal = hook.paused ?? hook.deadlinePassed(context);
    if (refusal !== undefined) {
      this.refuse(candidates, refusal);
      return [];
    }
    const { admitsBulk } = hook;
    if (this.refusedKeys.size === 0 && admitsBulk) return candidates;
    return candidates.filter((candidate) => {
      const key = this.keyIfRefused(candidate);
      if (key !== undefined) {
        const detail = 'An earlier record of this key was refused in this request.';
        this.results.refuse(candidate.index, new RequestError('after-refused', detail));
        return false;
      }
      const priority = this.parts.context.priorityOf(candidate.envelope.priority);
      if (admitsBulk || priority !== 'bulk') return true;
      this.refuse([candidate], this.parts.hook.bulkRefused());
      return false;
    });
  }

  /** The first ones, as many as their tenant may still have in flight; their places are taken. */
  withPlaces(candidates: readonly BatchCandidate[]): readonly BatchCandidate[] {
    const { context } = this.parts;
    const { quota } = context;
    if (quota === undefined) return candidates;
    context.places += quota.takePlaces(Math.max(0, candidates.length - context.places));
    return candidates.slice(0, context.places);
  }

  /** Takes the admission, for the first `admission.count` of the candidates. Resolves with how many were not refused. */
  async submit(
    candidates: readonly BatchCandidate[],
    admission: Admission,
    times: { readonly sinceMs: number; readonly admitByMs: number },
  ): Promise<number> {
    const admitted = candidates.slice(0, admission.count);
    const { context, intake } = this.parts;
    const records = await intake.submit({ context, candidates: admitted, admission, ...times });
    let served = 0;
    const replayed: Replayed[] = [];
    for (const [i, record] of records.entries()) {
      const { index } = admitted[i]!;
      const id = replayedIdOf(record);
      if (id === undefined) this.results.add(index, record);
      else replayed.push({ index, id });
      if (this.isHole(record)) this.noteHole(record.key, admitted[i]!);
      if (verdictOf(record).kind !== 'refused') served += 1;
    }
    if (replayed.length > 0) await this.addReplays(replayed);
    return served;
  }

  private async addReplays(replayed: readonly Replayed[]): Promise<void> {
    const answers = await this.parts.intake.replays.answersOf(replayed.map(({ id }) => id));
    for (const [i, { index }] of replayed.entries()) this.results.replay(index, answers[i]!);
  }

  /** Refuses records before they were submitted. */
  refuse(candidates: readonly BatchCandidate[], error: Error): void {
    for (const candidate of candidates) {
      this.results.refuse(candidate.index, error);
      this.noteHole(undefined, candidate);
    }
  }

  /**
   * Overload and outages end. A record that the pipeline fails on will be failed on again, one whose key was used for
   * another is wrong for good: they make no hole.
   */
  private isHole(record: PipelineRecord): boolean {
    const verdict = verdictOf(record);
    return verdict.kind === 'refused' && !FOR_GOOD.has(problemFor(verdict.error).status);
  }

  private noteHole(key: string | undefined, candidate: BatchCandidate): void {
    const refused = key ?? this.parts.keys.keyOf(candidate.envelope);
    if (refused !== undefined) this.refusedKeys.add(refused);
  }

  private keyIfRefused({ envelope }: BatchCandidate): string | undefined {
    if (this.refusedKeys.size === 0) return undefined;
    const key = this.parts.keys.keyOf(envelope);
    return key !== undefined && this.refusedKeys.has(key) ? key : undefined;
  }
}

/** The place of a replay in the batch, and the id of the earlier record. */
interface Replayed {
  readonly index: number;
  readonly id: string;
}

const FOR_GOOD: ReadonlySet<number> = new Set([422, 500]);

const TYPE_PREFIX = '/problems/';

/** `after-refused` has no stage or signal of its own: the batch itself holds the record back. */
function refusalOf({ type, stage, signal }: Problem): RecordRefusal {
  const reason = type.slice(TYPE_PREFIX.length);
  return { stage: stage ?? 'Gateway', reason, signal: signal ?? reason };
}
