import fc from 'fast-check';
import {
  type BreakerState,
  CircuitBreaker,
  type Ticket,
} from '../../libs/flow-control/src/retry/circuit-breaker.js';
import { FakeClock } from '../support/fake-clock.js';

type Outcome = 'success' | 'failure' | 'neutral';
type Step =
  | { readonly kind: 'call' }
  | { readonly kind: 'settle'; readonly index: number; readonly outcome: Outcome }
  | { readonly kind: 'wait'; readonly ms: number };

const FAILURES = 6;
const RATIO = 0.7;
const OPEN_MS = 1000;
const MAX_OPEN_MS = 8000;

interface ModelTicket {
  /** Number of openings and closings that had happened when it was given. */
  readonly era: number;
  isSettled: boolean;
}

/** The rules of the breaker on full logs, without jitter. */
class NaiveBreaker {
  state: BreakerState = 'closed';
  private era = 0;
  private openUntilMs = 0;
  private openingsInARow = 0;
  private sinceClosed: { atMs: number; outcome: Outcome }[] = [];
  private probe: ModelTicket | undefined;
  private probeSuccesses = 0;

  tryCall(nowMs: number): ModelTicket | undefined {
    if (this.state === 'open' && nowMs >= this.openUntilMs) {
      this.state = 'half-open';
      this.probeSuccesses = 0;
      this.probe = undefined;
    }
    const isProbeOut = this.probe !== undefined && !this.probe.isSettled;
    if (this.state === 'open' || (this.state === 'half-open' && isProbeOut)) return undefined;
    const ticket = { era: this.era, isSettled: false };
    if (this.state === 'half-open') this.probe = ticket;
    return ticket;
  }

  settle(ticket: ModelTicket, outcome: Outcome, nowMs: number): void {
    const counts = !ticket.isSettled && ticket.era === this.era;
    ticket.isSettled = true;
    if (!counts || outcome === 'neutral') return;
    if (this.state === 'closed') {
      this.sinceClosed.push({ atMs: nowMs, outcome });
      if (this.mustOpen(nowMs)) this.open(nowMs);
    } else if (outcome === 'failure') this.open(nowMs);
    else {
      this.probeSuccesses += 1;
      if (this.probeSuccesses === 3) this.close();
    }
  }

  private mustOpen(nowMs: number): boolean {
    const inARow = this.sinceClosed.slice(-FAILURES);
    if (inARow.length === FAILURES && inARow.every(({ outcome }) => outcome === 'failure'))
      return true;
    const oldestSecond = Math.floor(nowMs / 1000) - 9;
    const recent = this.sinceClosed.filter(({ atMs }) => Math.floor(atMs / 1000) >= oldestSecond);
    const failed = recent.filter(({ outcome }) => outcome === 'failure').length;
    return recent.length >= 10 && failed / recent.length >= RATIO;
  }

  private open(nowMs: number): void {
    this.state = 'open';
    this.openUntilMs = nowMs + Math.min(MAX_OPEN_MS, OPEN_MS * 2 ** this.openingsInARow);
    this.openingsInARow += 1;
    this.era += 1;
  }

  private close(): void {
    this.state = 'closed';
    this.openingsInARow = 0;
    this.sinceClosed = [];
    this.era += 1;
  }
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Step>({ kind: 'call' }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      index: fc.nat({ max: 5 }),
      outcome: fc.constantFrom<Outcome>('success', 'failure', 'failure', 'failure', 'neutral'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat({ max: 9000 }) }),
  },
);
const steps = fc.array(step, { maxLength: 300, size: 'max' });

describe('CircuitBreaker', () => {
  it('gives and refuses tickets as its rules on full logs do', () => {
    const visited = new Set<BreakerState>();
    fc.assert(
      fc.property(steps, (played) => {
        const clock = new FakeClock();
        const breaker = new CircuitBreaker({
          openMs: OPEN_MS,
          maxOpenMs: MAX_OPEN_MS,
          failures: FAILURES,
          ratio: RATIO,
          clock,
          random: () => 0.5,
        });
        const model = new NaiveBreaker();
        const tickets: { real: Ticket; model: ModelTicket }[] = [];
        for (const action of played) {
          let isGivenByBothOrNone = true;
          if (action.kind === 'wait') clock.advance(action.ms);
          else if (action.kind === 'settle') {
            const { index, outcome } = action;
            const settled = tickets[index];
            if (settled === undefined) continue;
            settled.real[outcome]();
            model.settle(settled.model, outcome, clock.now());
          } else {
            const real = breaker.tryCall();
            const expected = model.tryCall(clock.now());
            isGivenByBothOrNone = (real === undefined) === (expected === undefined);
            if (real && expected) tickets.unshift({ real, model: expected });
          }
          visited.add(breaker.state);
          expect(isGivenByBothOrNone).toBe(true);
          expect(breaker.state).toBe(model.state);
        }
      }),
      { numRuns: 300 },
    );
    expect([...visited].toSorted()).toEqual(['closed', 'half-open', 'open']);
  });

  it('makes no call while open and at most one in half-open, whatever the jitter (K1, K2)', () => {
    fc.assert(
      fc.property(
        steps,
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
        (played, draws) => {
          const clock = new FakeClock();
          let openUntilMs = 0;
          const breaker = new CircuitBreaker({
            openMs: OPEN_MS,
            maxOpenMs: MAX_OPEN_MS,
            failures: FAILURES,
            ratio: RATIO,
            clock,
            random: () => draws.next().value ?? 0,
          });
          breaker.watch((state) => {
            if (state === 'open') openUntilMs = clock.now() + 0.8 * OPEN_MS;
          });
          const tickets: Ticket[] = [];
          const violations: string[] = [];
          let probe: Ticket | undefined;
          for (const action of played) {
            if (action.kind === 'wait') clock.advance(action.ms);
            else if (action.kind === 'settle') {
              const ticket = tickets[action.index];
              ticket?.[action.outcome]();
              if (ticket === probe) probe = undefined;
            } else {
              const before = breaker.state;
              const ticket = breaker.tryCall();
              if (ticket === undefined) continue;
              tickets.unshift(ticket);
              if (before === 'open' && clock.now() < openUntilMs) violations.push('K1');
              if (before === 'half-open' && probe !== undefined) violations.push('K2');
              if (before !== 'closed') probe = ticket;
            }
          }

          expect(violations).toEqual([]);
        },
      ),
    );
  });

  it('goes on as before when neutral results are mixed in (K3)', () => {
    const results = fc.array(
      fc.record({
        isFailure: fc.boolean(),
        neutrals: fc.nat({ max: 3 }),
        waitMs: fc.nat({ max: 3000 }),
      }),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(results, (played) => {
        const clock = new FakeClock();
        const create = (): CircuitBreaker =>
          new CircuitBreaker({
            openMs: OPEN_MS,
            maxOpenMs: MAX_OPEN_MS,
            failures: FAILURES,
            ratio: RATIO,
            clock,
            random: () => 0.5,
          });
        const plain = create();
        const mixed = create();
        for (const { isFailure, neutrals, waitMs } of played) {
          clock.advance(waitMs);
          const outcome = isFailure ? 'failure' : 'success';
          plain.tryCall()?.[outcome]();
          for (let i = 0; i < neutrals; i++) mixed.tryCall()?.neutral();
          mixed.tryCall()?.[outcome]();
          expect(mixed.snapshot()).toEqual(plain.snapshot());
        }
      }),
    );
  });
});
