/** The same route by Nest, Fastify and a zod pipe; with a database URL it inserts each request before it is answered. */
import 'reflect-metadata';
import {
  Body,
  Controller,
  Header,
  HttpCode,
  Injectable,
  Module,
  type PipeTransform,
  Post,
  Res,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { SystemClock } from '#libs/flow-control';
import { UuidV7 } from '../../../src/ledger/uuid-v7.js';
import { answer } from '../child.js';
import { InsertStore } from './insert-store.js';
import type { ServerAnswer, ServerQuestion } from './question.js';
import { batchAnswer, linesOf, type OrderRecord, recordSchema } from './record-schema.js';

class RecordPipe implements PipeTransform<unknown, OrderRecord> {
  transform(value: unknown): OrderRecord {
    return recordSchema.parse(value);
  }
}

class LinesPipe implements PipeTransform<string, OrderRecord[]> {
  transform(ndjson: string): OrderRecord[] {
    return linesOf(ndjson).map((line) => recordSchema.parse(line));
  }
}

@Injectable()
class Store {
  private readonly ids = new UuidV7(new SystemClock());
  private inserts: InsertStore | undefined;

  connect(databaseUrl: string): void {
    this.inserts = new InsertStore(databaseUrl);
  }

  async keep(records: readonly OrderRecord[]): Promise<string[]> {
    const ids = records.map(() => this.ids.next());
    await this.inserts?.insert(ids, records);
    return ids;
  }
}

@Controller('v1')
class RouteController {
  constructor(private readonly store: Store) {}

  @Post('records')
  @HttpCode(202)
  async accept(
    @Body(new RecordPipe()) record: OrderRecord,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const [id] = await this.store.keep([record]);
    void reply.header('location', `/v1/records/${id}`);
    return { id, status: 'accepted' };
  }

  @Post('records::batch')
  @HttpCode(202)
  @Header('content-type', 'application/json')
  async acceptBatch(@Body(new LinesPipe()) records: OrderRecord[]): Promise<object> {
    return batchAnswer(await this.store.keep(records));
  }
}

@Module({ controllers: [RouteController], providers: [Store] })
class RouteModule {}

async function listen({ databaseUrl }: ServerQuestion): Promise<ServerAnswer> {
  const adapter = new FastifyAdapter();
  const app = await NestFactory.create<NestFastifyApplication>(RouteModule, adapter, {
    logger: ['error'],
  });
  app.useBodyParser('application/x-ndjson', {}, (_request, body, done) =>
    done(null, body.toString()),
  );
  if (databaseUrl !== undefined) app.get(Store).connect(databaseUrl);
  await app.listen(0, '127.0.0.1');
  return { url: await app.getUrl() };
}

answer(listen);
