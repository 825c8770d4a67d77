import { BadRequestException, ForbiddenException, HttpException } from '@nestjs/common';
import { IdempotencyKeyReusedError } from '../ledger/errors/idempotency-key-reused.error.js';
import { JournalFullError } from '../ledger/errors/journal-full.error.js';
import { LedgerUnavailableError } from '../ledger/errors/ledger-unavailable.error.js';
import { OutcomeUnknownError } from '../ledger/errors/outcome-unknown.error.js';
import { RecordRefusedError } from '../ledger/errors/record-refused.error.js';
import { PipelineFunctionError } from '../pipeline/pipeline-function.error.js';
import { headersFor, problemFor } from './problems.js';
import { invalidRecord, keyRunning, RequestError, UNSAFE_NUMBER } from './request-error.js';

const level = { records: 5, bytes: 9, maxRecords: 5, maxBytes: 10 };

describe('problemFor', () => {
  it.each([
    [new JournalFullError(level), 429, 'temporary-reduced-capacity', 'journal-backlog'],
    [new LedgerUnavailableError('database-away', 'no'), 503, 'database-away', 'database-away'],
    [new OutcomeUnknownError(1), 503, 'outcome-unknown', 'outcome-unknown'],
    [new RecordRefusedError('22P05'), 500, 'record-refused', undefined],
    [new PipelineFunctionError('key', 'threw'), 500, 'pipeline-error', undefined],
    [new RequestError('too-large', 'x', { limitBytes: 7 }), 413, 'too-large', undefined],
    [new IdempotencyKeyReusedError(), 422, 'idempotency-key-reused', undefined],
    [keyRunning(), 409, 'idempotency-key-running', undefined],
    [new BadRequestException('x'), 400, 'malformed', undefined],
    [new HttpException('x', 502), 502, 'internal', undefined],
    [new Error('secret'), 500, 'internal', undefined],
    [undefined, 500, 'internal', undefined],
  ])('answers %p with %i %s', (error, status, name, signal) => {
    const problem = problemFor(error, () => 0);
    expect(problem).toMatchObject({ status, type: `/problems/${name}` });
    expect(problem.signal).toBe(signal);
    expect(JSON.stringify(problem)).not.toContain('secret');
    expect(problem.retryAfterMs === undefined).toBe(![409, 429, 503].includes(status));
  });

  it('names a status of the framework that has no problem of its own by its words', () => {
    expect(problemFor(new ForbiddenException('no entry'))).toEqual({
      type: '/problems/forbidden',
      title: 'Forbidden',
      status: 403,
      detail: 'no entry',
    });
    expect(problemFor(new HttpException('odd', 499))).toMatchObject({ title: 'Refused' });
  });

  it('tells a number that would lose digits from other invalid values', () => {
    expect(invalidRecord([{ path: '/payload', message: UNSAFE_NUMBER }]).code).toBe(
      'unsafe-number',
    );
    expect(invalidRecord([]).message).toBe('The record: is invalid.');
  });

  it('asks for Allow with 405, and for the end of the connection where a body was not read', () => {
    const error = new RequestError('method-not-allowed', 'x', { allow: ['GET', 'POST'] });
    expect(headersFor(error)).toEqual({ allow: 'GET, POST' });
    expect(headersFor(new RequestError('too-large', 'x'))).toEqual({ connection: 'close' });
    expect(headersFor(new RequestError('malformed', 'x'))).toEqual({});
    expect(headersFor(new Error('x'))).toEqual({});
  });
});
