/** The documents that follow from the schemas: docs/settings.md and .env.example. */
import { appOptionGroups } from './app-options.js';
import { environmentName } from './environment-name.js';
import { markdownTable } from './markdown-table.js';
import { type OptionsGroup, ruleOf } from './option.js';

interface DocumentedSetting {
  readonly name: string;
  readonly fallback: string | undefined;
  readonly rule: string;
  readonly description: string;
}

const TITLES: Readonly<Record<keyof typeof appOptionGroups, string>> = {
  service: 'Service',
  pipeline: 'Pipeline',
  bounds: 'Bounds of a request',
  control: 'Control',
  database: 'Database',
  ledger: 'Journal',
  kafka: 'Kafka',
  gateway: 'Stage Gateway',
  keygen: 'Stage KeyGen',
  ingress: 'Stage IngressProcessing',
  egress: 'Stage AsyncEgress',
  finalSink: 'Stage FinalSink',
  sink: 'Sinks',
};

/** The text of docs/settings.md. */
export function settingsDocument(): string {
  const head = ['Variable', 'Default', 'Rule', 'What it does'];
  const sections = documentedGroups().map(({ title, settings }) => {
    const rows = settings.map(({ name, fallback, rule, description }) => [
      `\`${name}\``,
      fallback === undefined ? 'not set' : `\`${fallback}\``,
      rule,
      description,
    ]);
    return `## ${title}\n\n${markdownTable(head, rows)}`;
  });
  return [
    '# Settings',
    [
      'Environment variables, or lines of a file `.env` in the working directory; a variable of the environment wins.',
      'They are read once, at the start. A mistake stops the start with one sentence for each.',
      '`node dist/src/main.js --check-config` shows what is in force, and where each value comes from.',
    ].join('\n'),
    'This page is made from the schemas by `node scripts/generate-docs.mjs`.',
    ...sections,
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

/** The text of .env.example: every setting with its default, commented out. */
export function envExample(): string {
  const sections = documentedGroups().map(({ title, settings }) =>
    [
      `# --- ${title} ---`,
      ...settings.map(
        ({ name, fallback, description }) => `# ${description}\n# ${name}=${fallback ?? ''}`,
      ),
    ].join('\n'),
  );
  return `# Copy to .env and remove the "# " of what you change. All settings: docs/settings.md.\n\n${sections.join('\n\n')}\n`;
}

function documentedGroups(): { title: string; settings: DocumentedSetting[] }[] {
  return Object.entries<OptionsGroup>(appOptionGroups).map(([name, { prefix, schema }]) => ({
    title: TITLES[name as keyof typeof appOptionGroups],
    settings: Object.entries(schema.shape).map(([key, type]) => {
      const variable = environmentName(prefix, key);
      const rule = ruleOf(type)?.rule;
      const description = 'description' in type ? type.description : undefined;
      if (rule === undefined || typeof description !== 'string') {
        throw new TypeError(`${variable} must have a rule and a description`);
      }
      return { name: variable, fallback: defaultOf(type), rule, description };
    }),
  }));
}

function defaultOf(type: OptionsGroup['schema']['shape'][string]): string | undefined {
  const { def } = type._zod;
  if ('defaultValue' in def) return String(def.defaultValue);
  if ('innerType' in def) return defaultOf(def.innerType as typeof type);
  return undefined;
}
