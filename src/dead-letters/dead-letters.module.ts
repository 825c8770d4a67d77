import { type DynamicModule, type FactoryProvider, Module } from '@nestjs/common';
import { DeadLetterWriter } from '../ledger/dead-letter-writer.port.js';
import { type DeadLetterBounds, DeadLetterStore } from './dead-letter-store.js';

/** Gives every module the store of dead letters. */
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
      ],
      exports: [DeadLetterStore, DeadLetterWriter],
    };
  }
}
