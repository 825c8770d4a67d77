// Writes the documents that are made from the code: run it after `npm run build`. Tests check that they are up to date.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { envExample, settingsDocument } from '../dist/src/config/settings-document.js';
import { metricsDocument } from '../dist/src/metrics/metrics-document.js';

const root = path.resolve(import.meta.dirname, '..');
const documents = {
  'docs/settings.md': settingsDocument(),
  'docs/metrics.md': metricsDocument(),
  '.env.example': envExample(),
};
for (const [file, text] of Object.entries(documents)) {
  writeFileSync(path.join(root, file), text);
  console.log(`wrote ${file}`);
}
