/** All settings of the service: every module's own group, under the name by which the composition root knows it. */
import { asyncEgressOptions } from '../async-egress/async-egress.options.js';
import { databaseOptions } from '../database/database.options.js';
import { finalSinkOptions, sinkOptions } from '../final-sink/final-sink.options.js';
import { gatewayOptions } from '../gateway/gateway.options.js';
import { ingressOptions } from '../ingress/ingress.options.js';
import { keygenOptions } from '../keygen/keygen.options.js';
import { ledgerOptions } from '../ledger/ledger.options.js';
import { boundsOptions } from './bounds.options.js';
import { controlOptions } from './control.options.js';
import { kafkaOptions } from './kafka.options.js';
import type { OptionsOf } from './option.js';
import { pipelineOptions } from './pipeline.options.js';
import { serviceOptions } from './service.options.js';

export const appOptionGroups = {
  service: serviceOptions,
  pipeline: pipelineOptions,
  bounds: boundsOptions,
  control: controlOptions,
  database: databaseOptions,
  ledger: ledgerOptions,
  kafka: kafkaOptions,
  gateway: gatewayOptions,
  keygen: keygenOptions,
  ingress: ingressOptions,
  egress: asyncEgressOptions,
  finalSink: finalSinkOptions,
  sink: sinkOptions,
} as const;

export type AppOptions = {
  readonly [Name in keyof typeof appOptionGroups]: OptionsOf<(typeof appOptionGroups)[Name]>;
};

/** Injects all groups, for those who read several. */
export const APP_OPTIONS = Symbol('APP_OPTIONS');
