import { Controller, Delete, Get, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { APP_OPTIONS, type AppOptions } from '../config/app-options.js';
import { isExactlyOnce } from '../config/exactly-once.js';
import { DeadLetterDesk, type DeskAnswer } from '../dead-letters/dead-letter-desk.js';
import { DeadLetterReader } from '../dead-letters/dead-letter-reader.js';
import { AdminOnly } from './admin-only.js';
import { adminProblem, withDatabase } from './admin-problem.js';
import { Audit } from './audit.js';
import { checkQuery } from './checked-input.js';
import {
  DescribeDiscard,
  DescribeLetter,
  DescribeLetters,
  DescribeRedrive,
  DescribeSummary,
} from './dead-letters.openapi.js';
import { discardQuerySchema, listQuerySchema, summaryQuerySchema } from './dead-letters.schema.js';
import { letterAnswer, summaryAnswer } from './letter-answer.js';
import { ByOperator, type Operator, operatorText } from './operator.js';

const PATH = '/v1/admin/dead-letters';
/** Identities begin at 1. */
const ID = /^[1-9]\d{0,17}$/;

/** Dead letters: what waits, why, what was tried, and what to do about one of them. */
@ApiTags('dead letters')
@AdminOnly()
@Controller(PATH)
export class DeadLettersController {
  constructor(
    private readonly reader: DeadLetterReader,
    private readonly desk: DeadLetterDesk,
    private readonly audit: Audit,
    @Inject(APP_OPTIONS) private readonly options: AppOptions,
  ) {}

  @Get()
  @DescribeLetters()
  async list(@Query() query: unknown) {
    const { limit, cursor, ...filter } = checkQuery(listQuerySchema, query);
    const from = { limit, ...(cursor && { after: cursor }) };
    const page = await withDatabase(() => this.reader.list(filter, from));
    return { deadLetters: page.letters.map(summaryAnswer), next: page.next };
  }

  @Get('summary')
  @DescribeSummary()
  async summary(@Query() query: unknown) {
    const { by, state = 'waiting', ...filter } = checkQuery(summaryQuerySchema, query);
    const groups = await withDatabase(() => this.reader.summary(by, { state, ...filter }));
    return { by, groups };
  }

  @Get(':id')
  @DescribeLetter()
  async letter(@Param('id') id: string) {
    if (!ID.test(id)) throw unknown();
    const letter = await withDatabase(() => this.reader.find(id));
    if (letter === undefined) throw unknown();
    return letterAnswer(letter);
  }

  @Post(':id/redrive')
  @HttpCode(202)
  @DescribeRedrive()
  async redrive(
    @Param('id') id: string,
    @ByOperator() operator: Operator,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    if (isExactlyOnce(this.options)) throw noOffset();
    if (!ID.test(id)) throw unknown();
    const by = operatorText(operator);
    const answer = done(await withDatabase(() => this.desk.redrive(id, by)));
    await this.audit.record(operator, { action: 'redrive', target: targetOf(id, answer) });
    reply.header('location', `${PATH}/${id}`);
    return { id, ...answer, state: 'redriving' };
  }

  @Delete(':id')
  @DescribeDiscard()
  async discard(
    @Param('id') id: string,
    @Query() query: unknown,
    @ByOperator() operator: Operator,
  ) {
    const { reason } = checkQuery(discardQuerySchema, query);
    if (!ID.test(id)) throw unknown();
    const by = operatorText(operator);
    const answer = done(await withDatabase(() => this.desk.discard(id, reason, by)));
    const target = targetOf(id, answer);
    await this.audit.record(operator, { action: 'discard', target, to: { reason } });
    return { id, ...answer, state: 'discarded' };
  }
}

interface Moved {
  readonly recordId: string;
  readonly redriveCount: number;
}

function done(answer: DeskAnswer): Moved {
  if (answer.kind === 'unknown') throw unknown();
  if (answer.kind === 'done') {
    return { recordId: answer.recordId, redriveCount: answer.redriveCount };
  }
  const detail = `The dead letter is ${answer.state}; only one that is waiting can be sent again or discarded.`;
  throw adminProblem(409, 'not-waiting', 'The dead letter does not wait', detail);
}

function targetOf(id: string, { recordId }: Moved): string {
  return `dead letter ${id} of record ${recordId}`;
}

function noOffset(): Error {
  const detail =
    'The service delivers exactly once, and no offset stands for a dead letter: start it with KAFKA_DELIVERY_GUARANTEE=at-least-once to send it again.';
  return adminProblem(409, 'exactly-once', 'No dead letter is sent again', detail);
}

function unknown(): Error {
  return adminProblem(404, 'not-found', 'Not found', 'There is no dead letter of this id.');
}
