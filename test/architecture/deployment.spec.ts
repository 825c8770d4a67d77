import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { loadOptions } from '../../src/config/load-options.js';
import { alertRules, dashboards, readProjectFile, readYaml } from '../support/deploy-files.js';

const ROOT = join(__dirname, '..', '..');

interface ComposeService {
  readonly image?: string;
  readonly extends?: { readonly file: string; readonly service: string };
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: object;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only?: boolean;
  readonly tmpfs?: readonly string[];
  readonly stop_grace_period?: string;
}

interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: object;
}

/** The services of a compose file, those that extend one of another file with what they take over. */
function servicesOf(file: string): [string, ComposeService][] {
  return Object.entries(readYaml<Compose>(file).services).map(([name, service]) => {
    const { extends: parent } = service;
    if (parent === undefined) return [name, service];
    return [name, { ...readYaml<Compose>(parent.file).services[parent.service], ...service }];
  });
}

/** `${NAME:-default}` is its default. */
const withDefaults = (text: string): string => text.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

describe('docker-compose.yml', () => {
  const services = servicesOf('docker-compose.yml');
  const { penstock } = Object.fromEntries(services);
  const environment = Object.fromEntries(
    Object.entries(penstock?.environment ?? {}).map(([name, value]) => [
      name,
      withDefaults(String(value)),
    ]),
  );

  it('is the whole: broker, database, service, Prometheus and Grafana', () => {
    expect(services.map(([name]) => name)).toEqual([
      'kafka',
      'postgres',
      'penstock',
      'prometheus',
      'grafana',
    ]);
  });

  it('gives the service settings that it knows and that go together', () => {
    const loaded = loadOptions({
      environment: { ...environment, HOST: '0.0.0.0' },
      folder: '/nowhere',
    });
    expect(loaded.warnings).toEqual([]);
    const names = loaded.settings.map(({ name }) => name);
    expect(Object.keys(environment).filter((name) => !names.includes(name))).toEqual([]);
  });

  it('lets the service drain: it is killed later than SHUTDOWN_TIMEOUT_MS', () => {
    const graceMs = Number.parseInt(penstock?.stop_grace_period ?? '', 10) * 1000;
    expect(graceMs).toBeGreaterThan(Number(environment['SHUTDOWN_TIMEOUT_MS']));
  });

  it('runs the service on a read-only root, when database and broker are healthy', () => {
    expect(penstock).toMatchObject({ read_only: true, tmpfs: ['/tmp'] });
    expect(penstock?.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      kafka: { condition: 'service_healthy' },
    });
  });

  it.each(services)(
    '%s has a health check, a fixed version and ports on the loopback',
    (name, it) => {
      expect(it.healthcheck).toBeDefined();
      expect(it.image).toMatch(/:[^:]*\d|^penstock:local$/);
      for (const port of it.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
      expect(name).toMatch(/^[a-z]+$/);
    },
  );

  it('mounts files that are there, and volumes that are declared', () => {
    const declared = Object.keys(readYaml<Compose>('docker-compose.yml').volumes);
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((volume) => volume.split(':')[0]!),
    );
    const isThere = (source: string): boolean =>
      source.startsWith('.') ? existsSync(join(ROOT, source)) : declared.includes(source);
    expect(mounted.length).toBeGreaterThan(5);
    expect(mounted.filter((source) => !isThere(source))).toEqual([]);
  });

  it('has no password in it that the environment can not replace', () => {
    const text = readProjectFile('docker-compose.yml');
    const secrets = [...text.matchAll(/(?:PASSWORD|TOKEN|SECRET)\w*: (.+)$/gm)];
    expect(secrets.length).toBeGreaterThanOrEqual(3);
    for (const [, value] of secrets) expect(value).toMatch(/^\$\{\w+:-[^}]+\}$/);
  });
});

describe('Dockerfile', () => {
  const text = readProjectFile('Dockerfile');
  const [build = '', final = ''] = text.split(/^FROM /m).slice(1);

  it('has nothing that a linter objects to', () => {
    expect(validate(text)).toEqual([]);
    // It does object to something.
    expect(validate('FROM node\nCOPPY a b\n').length).toBeGreaterThan(0);
  });

  it('installs from the lock file alone, and leaves what only the build needs behind', () => {
    expect(build).toMatch(/^RUN npm ci\b/m);
    expect(build).toMatch(/npm prune --omit=dev/);
    expect(text).not.toMatch(/npm (install|i) /);
  });

  it('runs as another user than root, with a health check, labels, and no shell before Node', () => {
    expect(final).toMatch(/^USER node$/m);
    expect(final).toMatch(/^HEALTHCHECK /m);
    expect(final).toMatch(/^CMD \["node", /m);
    for (const label of ['title', 'version', 'revision', 'licenses']) {
      expect(final).toContain(`org.opencontainers.image.${label}=`);
    }
  });

  it('starts Node as npm start does', () => {
    const { scripts } = JSON.parse(readProjectFile('package.json')) as {
      scripts: { start: string };
    };
    const [, command = '[]'] = /^CMD (.+)$/m.exec(final) ?? [];
    expect(`exec ${(JSON.parse(command) as string[]).join(' ')}`).toBe(scripts.start);
  });

  it('copies only what .dockerignore lets through, and all that the build reads', () => {
    const allowed = readProjectFile('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    const copied = [...build.matchAll(/^COPY (.+) \S+$/gm)].flatMap(([, files]) =>
      files!.split(' '),
    );
    expect(copied.toSorted()).toEqual(allowed.toSorted());
    for (const file of copied) expect(existsSync(join(ROOT, file))).toBe(true);
    const { include } = JSON.parse(readProjectFile('tsconfig.build.json')) as { include: string[] };
    for (const pattern of include) expect(copied).toContain(pattern.split('/')[0]);
  });
});

describe('Monitoring', () => {
  it('names every alert once, with severity, summary, description and its section of the runbook', () => {
    const names = alertRules().map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
    for (const { alert, labels, annotations } of alertRules()) {
      expect(alert).toMatch(/^Penstock[A-Z]/);
      expect(['page', 'ticket']).toContain(labels['severity']);
      expect(annotations).toEqual({
        summary: expect.any(String),
        description: expect.any(String),
        runbook_url: `docs/runbook.md#${alert.toLowerCase()}`,
      });
    }
  });

  it('has a section of the runbook for every alert, and none for another', () => {
    const runbook = readProjectFile('docs/runbook.md');
    const sections = [...runbook.matchAll(/^### (Penstock\w+)$/gm)].map(([, name]) => name);
    expect(sections).toEqual(alertRules().map(({ alert }) => alert));
  });

  it('loads the rules and scrapes the service by its name', () => {
    const prometheus = readYaml<{
      rule_files: string[];
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    }>('deploy/prometheus/prometheus.yml');
    expect(prometheus.rule_files).toEqual(['alerts.yml']);
    const [job] = prometheus.scrape_configs;
    expect(job).toMatchObject({
      job_name: 'penstock',
      static_configs: [{ targets: ['penstock:3000'] }],
    });
  });

  it('shows dashboards on the data source that is provisioned', () => {
    const { datasources } = readYaml<{ datasources: { uid: string }[] }>(
      'deploy/grafana/provisioning/datasources/prometheus.yml',
    );
    const [{ uid } = { uid: '' }] = datasources;
    for (const { panels } of dashboards()) {
      const used = panels.flatMap(({ datasource, targets = [] }) => [
        ...(datasource === undefined ? [] : [datasource.uid]),
        ...targets.map((target) => target.datasource.uid),
      ]);
      expect(new Set(used)).toEqual(new Set([uid]));
      expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
      for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    }
  });
});
