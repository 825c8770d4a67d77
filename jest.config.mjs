// Nest 12 and a few of its dependencies are ES modules only. Tests run in CommonJS mode; @swc/jest turns exactly
// these packages into CommonJS.
const esmOnly = [
  '@nestjs',
  '@borewit',
  '@tokenizer',
  'content-disposition',
  'cookie',
  'file-type',
  'strtok3',
  'token-types',
  'uint8array-extras',
];
const base = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  // Never 'import': dual packages would hand out .mjs files.
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transformIgnorePatterns: [`/node_modules/(?!(?:.+/node_modules/)?(?:${esmOnly.join('|')})/)`],
  transform: {
    '^.+\\.[cm]?[tj]s$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          keepClassNames: true,
          transform: {
            legacyDecorator: true,
            decoratorMetadata: true,
            useDefineForClassFields: false,
          },
        },
        module: { type: 'commonjs' },
        sourceMaps: true,
      },
    ],
  },
};
const services = {
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  setupFilesAfterEnv: ['<rootDir>/test/support/answers.setup.ts'],
};
const project = (displayName, testMatch, extra = {}) => ({
  ...base,
  displayName,
  testMatch,
  ...extra,
});

export default {
  // Waits have deadlines of their own, with a sentence; this one only ends a test that forgot to have one.
  testTimeout: 120_000,
  // With coverage a worker keeps what V8 knows of every file it has loaded: after 200 files it spent its time collecting garbage.
  workerIdleMemoryLimit: '1GB',
  coverageProvider: 'v8', // Babel counts decorator code as branches.
  collectCoverageFrom: [
    'src/**/*.ts',
    'libs/**/*.ts',
    '!**/*.spec.ts',
    '!**/index.ts',
    '!src/main.ts',
  ],
  coverageThreshold: {
    global: { lines: 90, branches: 90 },
    './libs/flow-control/': { lines: 100, branches: 100 },
  },
  projects: [
    project('unit', ['<rootDir>/{src,libs}/**/*.spec.ts']),
    project('property', ['<rootDir>/test/property/**/*.spec.ts']),
    ...['contract', 'integration', 'e2e', 'issues'].map((level) =>
      project(level, [`<rootDir>/test/${level}/**/*.spec.ts`], services),
    ),
    project('architecture', ['<rootDir>/test/architecture/**/*.spec.ts']),
  ],
};
