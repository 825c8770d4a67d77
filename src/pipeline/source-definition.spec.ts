import { definePipeline, type PipelineDefinition } from './definition.js';
import { kafka, offersRest, rest, topicsOf } from './source-definition.js';

const define = (sources: unknown): PipelineDefinition =>
  definePipeline({ name: 'test', sources } as unknown as PipelineDefinition);

describe('The sources of a definition', () => {
  it.each([[[]], [['']], [['orders out']], [['..']], [['a', 'a']]])(
    'kafka refuses %j as topics',
    (topics) => {
      expect(() => kafka(...topics)).toThrow('kafka: topics must be one or more different topic');
    },
  );

  it.each([
    [[], 'sources must be a list of at least one source (got 0)'],
    ['kafka', 'sources must be a list of at least one source (got string)'],
    [[{ kind: 'file' }], "sources[0] must be a source, such as kafka('orders') or rest()"],
    [[{ kind: 'kafka' }], 'sources[0] must be a source'],
    [[{ kind: 'kafka', topics: ['a b'] }], 'sources[0] must be a source'],
    [[rest(), rest()], 'sources[1] must be the only rest source'],
    [[kafka('a'), kafka('b')], 'sources[1] must be the only kafka source'],
  ])('definePipeline refuses %j', (sources, sentence) => {
    expect(() => define(sources)).toThrow(sentence);
  });

  it('name their topics, and offer REST unless there are sources without it', () => {
    expect(topicsOf([rest(), kafka('a', 'b')])).toEqual(['a', 'b']);
    expect([topicsOf(undefined), topicsOf([rest()])]).toEqual([undefined, undefined]);
    expect([undefined, [rest()], [kafka('a')]].map(offersRest)).toEqual([true, true, false]);
  });
});
