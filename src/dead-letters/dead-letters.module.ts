import { type DynamicModule, type FactoryProvider, Module } from '@nestjs/common';
import { DeadLetterWriter } from '../ledger/dead-letter-writer.port.js';
import { DataSource } from 'typeorm';
import { DeadLetterDesk } from './dead-letter-desk.js';
import { DeadLetterReader } from './dead-letter-reader.js';
import { type DeadLetterBounds, DeadLetterStore } from './dead-letter-store.js';
import { RedriveQueue } from './redrive-queue.js';

/**
 * Gives every module the store of dead letters, what operators read and do with them, and what is to be sent again.
 *
 * Needs DataSource and Ledger from global modules.
 */
@Module({})
export class DeadLettersModule {
  static forRootAsync(
    bounds: Pick<FactoryProvider<DeadLetterBounds>, 'inject' | 'useFactory'>,
  ): DynamicModule {
    return {
      module: DeadLettersModule,
      global: true,
      providers: [
        {
          provide: DeadLetterStore,
          inject: bounds.inject ?? [],
          useFactory: async (...args: unknown[]) =>
            new DeadLetterStore(await bounds.useFactory(...args)),
        },
        { provide: DeadLetterWriter, useExisting: DeadLetterStore },
        {
          provide: DeadLetterReader,
          inject: [DataSource],
          useFactory: (database: DataSource) => new DeadLetterReader(database),
        },
        DeadLetterDesk,
        RedriveQueue,
      ],
      exports: [DeadLetterStore, DeadLetterWriter, DeadLetterReader, DeadLetterDesk, RedriveQueue],
    };
  }
}
