import { checkDefinition } from './config/definition-rules.js';
import { settingsWith, withDefinition } from './config/definition-settings.js';
import type { LoadedOptions } from './config/load-options.js';
import { chooseDefinition, type DefinitionFolders } from './pipeline/load-definition.js';

/**
 * The settings as the service would run: the pipeline definition is loaded, checked against them, and what it says in
 * place of a setting is shown. Rejects as the start would.
 */
export async function checkConfig(
  loaded: LoadedOptions,
  folders: DefinitionFolders,
): Promise<LoadedOptions> {
  const { options, settings } = loaded;
  const sources = { ...options.pipeline, egressUrl: options.egress.url };
  const definition = await chooseDefinition(sources, folders);
  checkDefinition(withDefinition(options, definition), definition);
  return { ...loaded, settings: settingsWith(settings, options, definition) };
}
