/** Nest's own Kafka transport as its documentation shows it: a handler of one message, a row saved and a message emitted for each. */
import 'reflect-metadata';
import { Controller, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientKafka,
  ClientsModule,
  Ctx,
  EventPattern,
  KafkaContext,
  type KafkaOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { lastValueFrom } from 'rxjs';
import { Column, Entity, PrimaryGeneratedColumn, Repository } from 'typeorm';
import { answer } from '../child.js';
import { type Job, TOPICS } from './job.js';

/** With a generated key: `save` asks for the row first when its key is given. */
@Entity('ledger')
class LedgerRow {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('text')
  topic!: string;

  @Column('integer')
  partition!: number;

  @Column('bigint')
  recordOffset!: string;
}

const CLIENT = Symbol('CLIENT');
const JOB = Symbol('JOB');

@Controller()
class OrdersController {
  constructor(
    @InjectRepository(LedgerRow) private readonly ledger: Repository<LedgerRow>,
    @Inject(CLIENT) private readonly client: ClientKafka,
    @Inject(JOB) private readonly job: Job,
  ) {}

  @EventPattern(TOPICS.few)
  async handle(@Payload() value: { customerId: string }, @Ctx() told: unknown) {
    const context = told as KafkaContext;
    const { outputTopic } = this.job;
    await lastValueFrom(this.client.emit(outputTopic, { key: value.customerId, value }));
    const [topic, partition] = [context.getTopic(), context.getPartition()];
    await this.ledger.save({ topic, partition, recordOffset: context.getMessage().offset });
  }
}

function moduleOf(job: Job): new () => object {
  const client = { brokers: [job.brokers] };
  @Module({
    imports: [
      TypeOrmModule.forRoot({
        type: 'postgres',
        url: job.databaseUrl,
        entities: [LedgerRow],
        synchronize: true,
      }),
      TypeOrmModule.forFeature([LedgerRow]),
      ClientsModule.register([
        { name: CLIENT, transport: Transport.KAFKA, options: { client, producerOnlyMode: true } },
      ]),
    ],
    controllers: [OrdersController],
    providers: [{ provide: JOB, useValue: job }],
  })
  class StockModule {}
  return StockModule;
}

answer(async (job: Job) => {
  const options: KafkaOptions = {
    transport: Transport.KAFKA,
    options: {
      client: { brokers: [job.brokers] },
      consumer: { groupId: job.groupId },
      subscribe: { fromBeginning: true },
    },
  };
  const app = await NestFactory.createMicroservice(moduleOf(job), {
    ...options,
    logger: ['error'],
  });
  await app.listen();
  return {};
});
