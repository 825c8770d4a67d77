import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type AnyPipelineDefinition, definePipeline } from './definition.js';

/** PIPELINE_MODULE can't be used. The message is a sentence for the operator. */
export class PipelineModuleError extends Error {
  override readonly name = 'PipelineModuleError';
}

/**
 * Loads the definition that PIPELINE_MODULE names: a `.ts` file of the project is taken from the build, a `.js` file is
 * looked for from the working directory. Rejects with a PipelineModuleError.
 */
export async function loadDefinition(
  module: string,
  folders: { readonly build: string; readonly working: string },
): Promise<AnyPipelineDefinition> {
  const path = compiledPath(module, folders);
  if (!existsSync(path)) throw wrong(module, `there is no file ${path}`);
  const { default: definition } = await importFile(module, path);
  if (typeof definition !== 'object' || definition === null) {
    throw wrong(module, 'it has no default export made by definePipeline');
  }
  try {
    return definePipeline(definition as AnyPipelineDefinition);
  } catch (error) {
    throw wrong(module, messageOf(error));
  }
}

function compiledPath(
  module: string,
  { build, working }: { build: string; working: string },
): string {
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
