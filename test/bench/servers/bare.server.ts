/** Bare Fastify: parses the JSON and answers. No framework around it, no validation, no database. */
import { fastify } from 'fastify';
import { SystemClock } from '#libs/flow-control';
import { UuidV7 } from '../../../src/ledger/uuid-v7.js';
import { answer } from '../child.js';
import type { ServerAnswer, ServerQuestion } from './question.js';
import { batchAnswer, linesOf } from './record-schema.js';

const ids = new UuidV7(new SystemClock());
const server = fastify();

server.addContentTypeParser('application/x-ndjson', { parseAs: 'string' }, (_request, body, done) =>
  done(null, body),
);
server.post('/v1/records', (_request, reply) => {
  const id = ids.next();
  return reply.status(202).header('location', `/v1/records/${id}`).send({ id, status: 'accepted' });
});
server.post<{ Body: string }>('/v1/records::batch', ({ body }, reply) =>
  reply.status(202).send(batchAnswer(linesOf(body).map(() => ids.next()))),
);

answer(async (_question: ServerQuestion): Promise<ServerAnswer> => {
  return { url: await server.listen({ host: '127.0.0.1', port: 0 }) };
});
