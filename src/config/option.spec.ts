import {
  choice,
  flag,
  list,
  options,
  type OptionsOf,
  ratio,
  ruleOf,
  secret,
  text,
  wholeNumber,
} from './option.js';

const sample = options('SAMPLE', {
  bufferSize: wholeNumber({ min: 1 }).default(1500).describe('Credits, in records.'),
  trigger: ratio().default(0.8),
  enabled: flag().default(true),
  url: text({ pattern: /^https?:\/\//, rule: 'an http or https address' }).optional(),
  level: choice(['low', 'high']).default('low'),
  token: secret().optional(),
});

function messages(given: Record<string, unknown>): string[] {
  const result = sample.schema.safeParse(given);
  return (result.error?.issues ?? []).map((issue) => `${issue.path.join('.')} ${issue.message}`);
}

describe('options', () => {
  it('fills what is not given with its default', () => {
    const settings: OptionsOf<typeof sample> = sample.schema.parse({});
    expect(settings).toEqual({ bufferSize: 1500, trigger: 0.8, enabled: true, level: 'low' });
  });

  it('takes the native value and its text alike (O1)', () => {
    const native = { bufferSize: 8, trigger: 0.5, enabled: false, level: 'high', url: 'http://a' };
    const texts = {
      bufferSize: ' 8 ',
      trigger: '.5',
      enabled: 'Off',
      level: 'high ',
      url: 'http://a',
    };
    expect(sample.schema.parse(texts)).toEqual(native);
    expect(sample.schema.parse(native)).toEqual(native);
  });

  it.each([
    [{ bufferSize: '8x' }, 'bufferSize must be a whole number of at least 1 (got "8x")'],
    [{ bufferSize: 0 }, 'bufferSize must be a whole number of at least 1 (got 0)'],
    [{ bufferSize: '1e3' }, 'bufferSize must be a whole number of at least 1 (got "1e3")'],
    [{ bufferSize: 1.5 }, 'bufferSize must be a whole number of at least 1 (got 1.5)'],
    [{ trigger: '80%' }, 'trigger must be a ratio between 0 and 1 (got "80%")'],
    [{ trigger: 1.2 }, 'trigger must be a ratio between 0 and 1 (got 1.2)'],
    [{ enabled: 'perhaps' }, 'enabled must be true or false (got "perhaps")'],
    [{ level: 'mid' }, 'level must be one of low, high (got "mid")'],
    [{ url: 'ftp://a' }, 'url must be an http or https address (got "ftp://a")'],
  ])('says of %j which rule it breaks and what it got (O2)', (given, message) => {
    expect(messages(given)).toEqual([message]);
  });

  it('reports every mistake of a group together', () => {
    expect(messages({ bufferSize: 'a', trigger: 'b', level: 'c' })).toHaveLength(3);
  });

  it('never shows the value of a secret (O3)', () => {
    expect(messages({ token: 12345 })).toEqual([
      'token must be text that is not empty (got a value not shown)',
    ]);
  });

  it('takes a comma list or an array; no item twice, none empty (O1)', () => {
    const names = list({ item: /^[a-z]+$/, rule: 'names' });
    expect(names.parse('a, b ,c')).toEqual(['a', 'b', 'c']);
    expect(names.parse(['a'])).toEqual(['a']);
    for (const wrong of ['', 'a,', 'a,A', 'a,b,a', [], [1], 7]) {
      expect(names.safeParse(wrong).error?.issues[0]?.message).toMatch(
        /^must be a comma list of names \(got /,
      );
    }
  });

  it('names both ends of a range', () => {
    expect(wholeNumber({ min: 1, max: 9 }).safeParse(10).error?.issues[0]?.message).toBe(
      'must be a whole number between 1 and 9 (got 10)',
    );
  });

  it('keeps the rule readable through default, optional, refine, transform and describe', () => {
    expect(ruleOf(sample.schema.shape.bufferSize)).toEqual({
      kind: 'whole number',
      rule: 'a whole number of at least 1',
    });
    expect(ruleOf(sample.schema.shape.token)?.kind).toBe('secret');
    const refined = secret()
      .refine((value) => value.startsWith('a'), 'must start with a')
      .transform((value) => value.length)
      .optional();
    expect(ruleOf(refined)?.kind).toBe('secret');
  });
});
