import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const ROOT = join(__dirname, '..', '..');

export const readProjectFile = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

export const readYaml = <T>(path: string): T => parse(readProjectFile(path)) as T;

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** All rules of deploy/prometheus/alerts.yml. */
export function alertRules(): AlertRule[] {
  const file = readYaml<{ groups: { rules: AlertRule[] }[] }>('deploy/prometheus/alerts.yml');
  return file.groups.flatMap(({ rules }) => rules);
}

export interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { uid: string } }[];
  readonly gridPos: { readonly x: number; readonly w: number };
}

export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly query: string }[] };
}

export function dashboards(): Dashboard[] {
  const folder = 'deploy/grafana/dashboards';
  return readdirSync(join(ROOT, folder)).map((file) => ({
    ...(JSON.parse(readProjectFile(join(folder, file))) as Dashboard),
    file,
  }));
}

export interface NamedExpression {
  readonly where: string;
  readonly expr: string;
}

/** Every PromQL expression that is deployed, with Grafana's own variables filled in. */
export function deployedExpressions(): NamedExpression[] {
  const ofAlerts = alertRules().map(({ alert, expr }) => ({ where: alert, expr }));
  const ofDashboards = dashboards().flatMap(({ file, panels, annotations, templating }) => [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `${file}: ${title}`, expr })),
    ),
    ...annotations.list.map(({ expr }) => ({ where: `${file}: annotations`, expr })),
    ...templating.list.map(({ query }) => ({
      where: `${file}: variables`,
      expr: query.replace(/^label_values\((\w+), \w+\)$/, '$1'),
    })),
  ]);
  return [...ofAlerts, ...ofDashboards].map(({ where, expr }) => ({
    where,
    expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
  }));
}
