// The layers of docs/architecture.md: mechanism <- policy <- product, and stages that never meet.
const stages = 'gateway|keygen|ingress|async-egress|final-sink';
const product = '^(src|libs|pipelines|migrations)/';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'flow-control-is-pure',
      severity: 'error',
      from: { path: '^libs/flow-control/', pathNot: '\\.spec\\.ts$' },
      to: { pathNot: '^libs/flow-control/', dependencyTypesNot: ['core'] },
    },
    {
      name: 'libs-never-import-src',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^src/' },
    },
    {
      name: 'libs-by-their-door',
      severity: 'error',
      from: { path: '^libs/([^/]+)/' },
      to: { path: '^libs/([^/]+)/src/', pathNot: ['^libs/$1/', '^libs/[^/]+/src/index\\.ts$'] },
    },
    {
      name: 'product-uses-libs-by-their-door',
      severity: 'error',
      from: { path: '^(src|pipelines|migrations)/' },
      to: { path: '^libs/[^/]+/src/', pathNot: '^libs/[^/]+/src/index\\.ts$' },
    },
    {
      name: 'stages-are-strangers',
      severity: 'error',
      from: { path: `^src/(${stages})/` },
      to: { path: `^src/(${stages})/`, pathNot: '^src/$1/' },
    },
    {
      name: 'observers-never-see-a-stages-inside',
      severity: 'error',
      from: { path: '^src/(admin|health|metrics)/' },
      to: { path: `^src/(${stages})/` },
    },
    {
      name: 'prom-client-in-metrics',
      severity: 'error',
      from: { path: product, pathNot: '^src/metrics/' },
      to: { path: 'node_modules/(prom-client|@willsoto)' },
    },
    {
      name: 'kafkajs-in-its-adapter',
      severity: 'error',
      from: { path: product, pathNot: '^libs/kafka/' },
      to: { path: 'node_modules/kafkajs' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      conditionNames: ['source', 'import', 'node', 'default'],
      exportsFields: ['exports'],
    },
  },
};
