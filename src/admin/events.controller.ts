import { Controller, Get, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { AdminOnly } from './admin-only.js';
import { DescribeAdmin } from './admin.openapi.js';
import { adminProblem } from './admin-problem.js';
import { EventStream, MAX_LISTENERS } from './event-stream.js';

const RETRY_MS = 5000;

@AdminOnly()
@Controller('v1/admin')
export class EventsController {
  constructor(private readonly events: EventStream) {}

  @Get('events')
  @DescribeAdmin({
    summary:
      'Server-sent events: a snapshot a second, and what is new of the destinations; triggers, levels, pauses and dead letters as they come.',
    answer: {
      description:
        '`snapshot` has the data of GET /v1/admin/pipeline without conservation. Who reads too slowly is cut off.',
      schema: z.string(),
      example:
        'event: pauses\ndata: {"paused":["pipeline"]}\n\nevent: level\ndata: {"of":"pipeline","from":"healthy","to":"moderate","pressure":0.31}\n\n',
      type: 'text/event-stream',
    },
    problems: [429],
  })
  listen(@Res() reply: FastifyReply): void {
    const stream = this.events.open();
    if (stream === undefined) {
      const detail = `${MAX_LISTENERS} listeners are the most.`;
      const facts = { retryAfterMs: RETRY_MS };
      throw adminProblem(429, 'too-many-listeners', 'Too many listeners', detail, facts);
    }
    // Proxies must hand each event on at once.
    void reply
      .header('content-type', 'text/event-stream')
      .header('cache-control', 'no-store')
      .header('x-accel-buffering', 'no')
      .send(stream);
  }
}
