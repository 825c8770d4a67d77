/** All settings of the service: every module's own group, under the name by which the composition root knows it. */
import { databaseOptions } from '../database/database.options.js';
import { boundsOptions } from './bounds.options.js';
import { controlOptions } from './control.options.js';
import type { OptionsOf } from './option.js';
import { pipelineOptions } from './pipeline.options.js';
import { serviceOptions } from './service.options.js';

export const appOptionGroups = {
  service: serviceOptions,
  pipeline: pipelineOptions,
  bounds: boundsOptions,
  control: controlOptions,
  database: databaseOptions,
} as const;

export type AppOptions = {
  readonly [Name in keyof typeof appOptionGroups]: OptionsOf<(typeof appOptionGroups)[Name]>;
};
