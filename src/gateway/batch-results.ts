import type { ProblemDocument } from '#libs/back-pressure';
import type { RandomSource } from '#libs/flow-control';
import type { PipelineRecord, ValidationIssue } from '../pipeline/record.js';
import { headersFor, type Problem, problemFor } from './problems.js';
import { inside } from './record-form.js';
import { verdictOf } from './record-intake.js';
import { invalidRecord, RequestError } from './request-error.js';
import type { AcceptedAnswer, StreamEnd } from './records.schema.js';

type TakenResult = { readonly index: number; readonly replayed?: true } & AcceptedAnswer;
type BatchResult = TakenResult | { readonly index: number; readonly problem: Problem };

/** Which problem a batch that brought nothing in is answered with: the first of these that a record has. */
const GRAVEST_FIRST = [503, 429, 409, 500] as const;

/** The results of a batch, and the answer that follows from them. */
export class BatchResults {
  private readonly results: BatchResult[] = [];
  /** One document for all records that one error refused: they differ in nothing, and a batch may have thousands. */
  private readonly problems = new WeakMap<object, Problem>();
  private readonly headersOf = new WeakMap<Problem, Record<string, string>>();
  private accepted = 0;

  constructor(
    private readonly random: RandomSource,
    /** Told of every record that is refused for now: 429 and 503. */
    private readonly onRefused: (problem: Problem) => void,
    /** Where in a record its payload is: the stages see nothing else. */
    private readonly payloadPath: string,
  ) {}

  /** Adds the present state of the earlier record that a record is a replay of. */
  replay(index: number, earlier: AcceptedAnswer): void {
    this.take({ index, ...earlier, replayed: true });
  }

  /** Adds what became of a record that has its verdict and is no replay. */
  add(index: number, record: PipelineRecord): void {
    const verdict = verdictOf(record);
    if (verdict.kind === 'accepted') {
      this.take({ index, id: record.id, status: 'accepted' });
    } else if (verdict.kind === 'discarded') {
      this.take({ index, id: record.id, status: 'discarded', reason: verdict.reason });
    } else if (verdict.kind === 'invalid') {
      this.invalid(index, inside(this.payloadPath, verdict.issues));
    } else if (verdict.kind === 'refused') {
      this.refuse(index, verdict.error);
    }
  }

  refuse(index: number, error: Error): void {
    const problem = this.problems.get(error) ?? this.newProblem(error);
    this.results.push({ index, problem });
    if (problem.status === 429 || problem.status === 503) this.onRefused(problem);
  }

  invalid(index: number, issues: readonly ValidationIssue[]): void {
    this.refuse(index, invalidRecord(issues));
  }

  get isEmpty(): boolean {
    return this.results.length === 0;
  }

  /** The answer when at least one record was taken, or undefined. */
  answer(ended?: StreamEnd) {
    if (this.accepted === 0) return undefined;
    return { ...this.body(), ...(ended === undefined ? {} : { ended }) };
  }

  /** The problem of a batch that brought nothing in, with all results. */
  problem(ended?: StreamEnd): ProblemDocument & Record<string, unknown> {
    const body = { ...this.body(), ...(ended === undefined ? {} : { ended }) };
    if (this.isEmpty) {
      return {
        ...problemFor(new RequestError('empty-batch', 'The batch has no records.')),
        ...body,
      };
    }
    const gravest = this.gravest();
    return { ...(gravest ?? this.noneValid()), ...body };
  }

  /** Header fields that go with `problem`, beside `Retry-After`. */
  get problemHeaders(): Record<string, string> {
    const gravest = this.gravest();
    return (gravest && this.headersOf.get(gravest)) ?? {};
  }

  private gravest(): Problem | undefined {
    for (const status of GRAVEST_FIRST) {
      for (const each of this.results) {
        if ('problem' in each && each.problem.status === status) return each.problem;
      }
    }
    return undefined;
  }

  private noneValid(): Problem {
    const [first] = this.results;
    const isReused = (each: BatchResult): boolean =>
      'problem' in each && each.problem.type === '/problems/idempotency-key-reused';
    if (first !== undefined && 'problem' in first && this.results.every(isReused)) {
      return first.problem;
    }
    return problemFor(new RequestError('invalid', 'None of the records is valid.'));
  }

  private newProblem(error: Error): Problem {
    const problem = problemFor(error, this.random);
    this.problems.set(error, problem);
    this.headersOf.set(problem, headersFor(error, problem));
    return problem;
  }

  private take(result: TakenResult): void {
    this.accepted += 1;
    this.results.push(result);
  }

  private body() {
    const results = this.results.toSorted((a, b) => a.index - b.index);
    return { accepted: this.accepted, refused: results.length - this.accepted, results };
  }
}
