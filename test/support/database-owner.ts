// A process that owns the embedded database of the folder in its first argument, until it is ended or killed. It sends
// its parent either { pid } of the postmaster or { error }.
import { SystemClock } from '../../libs/flow-control/src/clock.js';
import { Database } from '../../src/database/database.js';
import { embeddedOptions } from './embedded-options.js';

const [, , folder = ''] = process.argv;

async function own(): Promise<void> {
  const database = await Database.start({
    options: embeddedOptions(folder),
    clock: new SystemClock(),
  });
  process.once('SIGTERM', () => void database.close().then(() => process.exit(0)));
  process.send?.({ pid: database.embeddedPid });
}

own().catch((error: Error) => {
  process.send?.({ error: error.message }, () => process.exit(1));
});
