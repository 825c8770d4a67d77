import { ConfigurationError } from './config/load-options.js';
import { DatabaseError } from './database/errors/database-error.js';
import { PortError } from './http/front-door.js';
import { LedgerError } from './ledger/errors/ledger.error.js';
import { ConfiguredPipelineError } from './pipeline/configured-definition.js';
import { PipelineModuleError } from './pipeline/load-definition.js';

const EXPLAINED = [
  ConfigurationError,
  ConfiguredPipelineError,
  DatabaseError,
  LedgerError,
  PipelineModuleError,
  PortError,
];

/** Whether an error's message says to the operator what is wrong and what to do, so that a stack would only hide it. */
export function isExplained(error: Error): boolean {
  return isCommandLineError(error) || EXPLAINED.some((known) => error instanceof known);
}

/** Of `parseArgs`. */
function isCommandLineError(error: Error): boolean {
  return 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
