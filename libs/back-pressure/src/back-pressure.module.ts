import {
  type DynamicModule,
  type FactoryProvider,
  Module,
  type ModuleMetadata,
  type Provider,
} from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { BackPressureController } from './back-pressure-controller.js';
import { BackPressureExceptionFilter } from './back-pressure-exception.filter.js';
import { BackPressureHealthIndicator } from './back-pressure.health.js';
import { BoundedSemaphoreInterceptor } from './bounded-semaphore.interceptor.js';
import { CreditInterceptor } from './credit.interceptor.js';
import { BACK_PRESSURE_OPTIONS, type BackPressureOptions } from './back-pressure.options.js';

export interface BackPressureAsyncOptions {
  readonly imports?: ModuleMetadata['imports'];
  readonly inject?: FactoryProvider['inject'];
  readonly useFactory: FactoryProvider<BackPressureOptions>['useFactory'];
}

const PROVIDERS = [
  BackPressureController,
  BackPressureExceptionFilter,
  BackPressureHealthIndicator,
  BoundedSemaphoreInterceptor,
  CreditInterceptor,
];

/**
 * One controller for the whole application (global). Whoever owns the pipeline's life calls its `start` and `stop`; the
 * filter is registered by the application.
 */
@Module({})
export class BackPressureModule {
  static forRoot(options: BackPressureOptions): DynamicModule {
    return moduleOf({ provide: BACK_PRESSURE_OPTIONS, useValue: options });
  }

  static forRootAsync({ imports, inject, useFactory }: BackPressureAsyncOptions): DynamicModule {
    const provider = { provide: BACK_PRESSURE_OPTIONS, inject: inject ?? [], useFactory };
    return moduleOf(provider, imports);
  }
}

function moduleOf(
  options: Provider<BackPressureOptions>,
  imports: ModuleMetadata['imports'] = [],
): DynamicModule {
  return {
    module: BackPressureModule,
    global: true,
    imports: [TerminusModule, ...imports],
    providers: [options, ...PROVIDERS],
    exports: PROVIDERS,
  };
}
