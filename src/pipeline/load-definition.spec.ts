import { loadDefinition } from './load-definition.js';

const folders = { build: '/build', working: '/working' };

describe('loadDefinition', () => {
  it.each([
    ['pipelines/orders.pipeline.ts', '/build/pipelines/orders.pipeline.js'],
    ['mine.mts', '/build/mine.mjs'],
    ['mine.js', '/working/mine.js'],
    ['/opt/mine.mjs', '/opt/mine.mjs'],
  ])('looks for %s at %s', async (module, path) => {
    await expect(loadDefinition(module, folders)).rejects.toThrow(
      `PIPELINE_MODULE must name a pipeline definition (got "${module}": there is no file ${path}).`,
    );
  });

  it('refuses a .ts file outside the project, which nothing has compiled', async () => {
    await expect(loadDefinition('/opt/mine.ts', folders)).rejects.toThrow(/named from the project/);
  });
});
