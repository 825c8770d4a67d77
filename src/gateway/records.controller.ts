import type { Readable } from 'node:stream';
import { Controller, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { permitOf, takeAdmission, UseSemaphoreAndCredits } from '#libs/back-pressure';
import { ArrayBatch } from './array-batch.js';
import type { IntakeBody } from './body-reader.js';
import { GATEWAY_PERMITS } from './gateway.stage.js';
import type { IntakeContext } from './intake-context.js';
import { sendProblem } from './problems.js';
import { RecordStatusLookup } from './record-status-lookup.js';
import { DescribeAccept, DescribeBatch, DescribeLookup } from './records.openapi.js';
import type { AcceptedAnswer, RecordStatusAnswer } from './records.schema.js';
import { RequestError } from './request-error.js';
import { waitSecondsOf } from './request-headers.js';
import { replayedIdOf } from './replays.js';
import { answerOf, SingleRecord } from './single-record.js';
import { StreamBatch } from './stream-batch.js';

/** Bytes of the body that a single record came in: what its credits stand for. */
const sizesOf = (request: object): number => bodyOf(request as FastifyRequest)?.sizeBytes ?? 0;

/** The REST source: records in, and where they are. */
@Controller('v1')
export class RecordsController {
  constructor(
    private readonly single: SingleRecord,
    private readonly array: ArrayBatch,
    private readonly stream: StreamBatch,
    private readonly lookup: RecordStatusLookup,
  ) {}

  @Post('records')
  @HttpCode(202)
  @UseSemaphoreAndCredits(GATEWAY_PERMITS, 'Gateway', { sizesOf })
  @DescribeAccept()
  async accept(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AcceptedAnswer> {
    const context = contextOf(request);
    const body = requireBody(request);
    const envelope = this.single.check(body, context);
    const admission = takeAdmission(request);
    if (admission === undefined) throw new Error('The request came without its credits.');
    const { sizeBytes, fingerprint } = body;
    const requestKey = fingerprint && context.requestKey?.ofRecord(fingerprint);
    const idempotencyKey = requestKey ?? envelope.idempotencyKey;
    const candidate = { envelope, sizeBytes, idempotencyKey };
    const record = await this.single.accept(candidate, admission, context);
    const replayedId = replayedIdOf(record);

    const waitSeconds = waitSecondsOf(request.headers);
    if (waitSeconds !== undefined) {
      void reply.header('preference-applied', `wait=${waitSeconds}`);
      permitOf(request).release();
      await this.single.end(replayedId ?? record.id, waitSeconds * 1000, context);
    }
    const isReplay = replayedId !== undefined;
    const answer = isReplay ? await this.single.replay(replayedId) : answerOf(record);
    const isOnItsWay = answer.status === 'accepted';
    if (isOnItsWay || isReplay) void reply.header('location', `/v1/records/${answer.id}`);
    if (isReplay) void reply.header('idempotency-replayed', 'true');
    if (!isOnItsWay) void reply.status(200);
    return answer;
  }

  // `::` is the router's way to write a colon; with one, `batch` would be a parameter.
  @Post('records::batch')
  @HttpCode(202)
  @DescribeBatch()
  async acceptBatch(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object | undefined> {
    const context = contextOf(request);
    const { results, ended } = context.isStream
      ? await this.stream.run(request.body as Readable, context)
      : { results: await this.array.run(requireBody(request), context), ended: undefined };
    // What the sender still sends would be read for nothing.
    if (ended !== undefined) void reply.header('connection', 'close');
    const answer = results.answer(ended);
    if (answer !== undefined) return answer;
    sendProblem(reply, results.problem(ended), results.problemHeaders);
    return undefined;
  }

  @Get('records/:id')
  @DescribeLookup()
  find(
    @Param('id') id: string,
    @Req() { tokenTenant }: FastifyRequest,
  ): Promise<RecordStatusAnswer> {
    return this.lookup.find(id, tokenTenant);
  }
}

function contextOf({ intake }: FastifyRequest): IntakeContext {
  if (intake === undefined) throw new Error('The request came past the admission hook.');
  return intake;
}

function bodyOf(request: FastifyRequest): IntakeBody | undefined {
  return request.body as IntakeBody | undefined;
}

function requireBody(request: FastifyRequest): IntakeBody {
  const body = bodyOf(request);
  if (body === undefined) throw new RequestError('malformed', 'The request has no body.');
  return body;
}
