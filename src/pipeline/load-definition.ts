import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { configuredDefinition } from './configured-definition.js';
import {
  type AnyPipelineDefinition,
  definePipeline,
  type PipelineDefinition,
} from './definition.js';

/** PIPELINE_MODULE can't be used. The message is a sentence for the operator. */
export class PipelineModuleError extends Error {
  override readonly name = 'PipelineModuleError';
}

/** What says which pipeline runs. */
export interface DefinitionSettings {
  /** PIPELINE_MODULE */
  readonly pipelineModule?: string | undefined;
  /** PIPELINE_SCHEMA_FILE */
  readonly pipelineSchemaFile?: string | undefined;
  /** PIPELINE_KEY */
  readonly pipelineKey?: string | undefined;
  /** EGRESS_URL */
  readonly egressUrl?: string | undefined;
}

export interface DefinitionFolders {
  /** The build: where the compiled `.js` of the project's files are. */
  readonly build: string;
  /** Where the process was started. */
  readonly working: string;
}

/** The example, compiled with the service. */
export const DEFAULT_PIPELINE_MODULE = 'pipelines/orders.pipeline.ts';

/**
 * The pipeline by code (PIPELINE_MODULE) or by configuration alone (PIPELINE_SCHEMA_FILE, PIPELINE_KEY, EGRESS_URL), the
 * example when neither is set. Rejects with a sentence when both are, or when what is set can't be used.
 */
export async function chooseDefinition(
  settings: DefinitionSettings,
  folders: DefinitionFolders,
): Promise<AnyPipelineDefinition> {
  const { pipelineModule, pipelineSchemaFile: schemaFile, pipelineKey: key } = settings;
  const configured = namesOfConfigured(settings);
  if (configured.length === 0) {
    return loadDefinition(pipelineModule ?? DEFAULT_PIPELINE_MODULE, folders);
  }
  if (pipelineModule !== undefined) {
    throw wrong(
      pipelineModule,
      `not together with ${configured.join(' and ')}, which describe a pipeline without code`,
    );
  }
  return configuredDefinition({ schemaFile, key }, folders.working);
}

function namesOfConfigured(settings: DefinitionSettings): string[] {
  const names = {
    PIPELINE_SCHEMA_FILE: settings.pipelineSchemaFile,
    PIPELINE_KEY: settings.pipelineKey,
    EGRESS_URL: settings.egressUrl,
  };
  return Object.entries(names).flatMap(([name, value]) => (value === undefined ? [] : name));
}

/**
 * Loads the definition that PIPELINE_MODULE names: a `.ts` file of the project is taken from the build, a `.js` file is
 * looked for from the working directory. Rejects with a PipelineModuleError.
 */
export async function loadDefinition(
  module: string,
  folders: DefinitionFolders,
): Promise<AnyPipelineDefinition> {
  const path = compiledPath(module, folders);
  if (!existsSync(path)) throw wrong(module, `there is no file ${path}`);
  const { default: definition } = await importFile(module, path);
  if (typeof definition !== 'object' || definition === null) {
    throw wrong(module, 'it has no default export made by definePipeline');
  }
  try {
    return definePipeline(definition as PipelineDefinition);
  } catch (error) {
    throw wrong(module, messageOf(error));
  }
}

function compiledPath(module: string, { build, working }: DefinitionFolders): string {
  if (!/\.m?ts$/.test(module)) return resolve(working, module);
  if (isAbsolute(module))
    throw wrong(module, 'a .ts file is named from the project, or compile it');
  return join(build, module.replace(/ts$/, 'js'));
}

async function importFile(module: string, path: string): Promise<{ default?: unknown }> {
  try {
    return (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    throw wrong(module, `it can't be loaded: ${messageOf(error)}`);
  }
}

function wrong(module: string, reason: string): PipelineModuleError {
  return new PipelineModuleError(
    `PIPELINE_MODULE must name a pipeline definition (got ${JSON.stringify(module)}: ${reason}).`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
