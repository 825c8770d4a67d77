import { type DynamicModule, Module } from '@nestjs/common';
import { ASYNC_EGRESS_OPTIONS } from '../async-egress/async-egress.options.js';
import { DATABASE_OPTIONS } from '../database/database.options.js';
import { FINAL_SINK_OPTIONS } from '../final-sink/final-sink.options.js';
import { GATEWAY_OPTIONS } from '../gateway/gateway.options.js';
import { INGRESS_OPTIONS } from '../ingress/ingress.options.js';
import { KEYGEN_OPTIONS } from '../keygen/keygen.options.js';
import { APP_OPTIONS, type AppOptions } from './app-options.js';
import { type EffectiveSetting, EFFECTIVE_SETTINGS } from './load-options.js';
import { BOUNDS_OPTIONS } from './bounds.options.js';
import { SERVICE_OPTIONS } from './service.options.js';

/** Gives every module its own group of the settings, by its token. */
@Module({})
export class OptionsModule {
  /** `settings`: as they were loaded, for who shows them. */
  static forRoot(options: AppOptions, settings: readonly EffectiveSetting[]): DynamicModule {
    const groups: readonly (readonly [symbol, object])[] = [
      [APP_OPTIONS, options],
      [SERVICE_OPTIONS, options.service],
      [BOUNDS_OPTIONS, options.bounds],
      [DATABASE_OPTIONS, options.database],
      [GATEWAY_OPTIONS, options.gateway],
      [KEYGEN_OPTIONS, options.keygen],
      [INGRESS_OPTIONS, options.ingress],
      [ASYNC_EGRESS_OPTIONS, options.egress],
      [FINAL_SINK_OPTIONS, options.finalSink],
      [EFFECTIVE_SETTINGS, settings],
    ];
    return {
      module: OptionsModule,
      global: true,
      providers: groups.map(([provide, useValue]) => ({ provide, useValue })),
      exports: groups.map(([token]) => token),
    };
  }
}
