import { type DynamicModule, Module, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { SystemClock } from '#libs/flow-control';
import type { DataSourceSettings } from './data-source.js';
import { DATABASE_OPTIONS, type DatabaseOptions } from './database.options.js';
import { Database } from './database.js';

export interface DatabaseModuleSettings {
  /** The entities of all modules: TypeORM wants them together. */
  readonly entities?: DataSourceSettings['entities'];
}

/** Gives every module `Database` and TypeORM's `DataSource`, which connects in the background while the server is away. */
@Module({})
export class DatabaseModule implements OnApplicationShutdown {
  constructor(private readonly database: Database) {}

  /** Needs DATABASE_OPTIONS from a global module. */
  static forRoot(settings: DatabaseModuleSettings = {}): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      providers: [
        {
          provide: Database,
          inject: [DATABASE_OPTIONS],
          useFactory: (options: DatabaseOptions) =>
            Database.start({ options, clock: new SystemClock(), ...settings }),
        },
        {
          provide: DataSource,
          inject: [Database],
          useFactory: (database: Database) => database.dataSource,
        },
      ],
      exports: [Database, DataSource],
    };
  }

  /** The last step of the shutdown order: by then nobody drains any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.database.close();
  }
}
