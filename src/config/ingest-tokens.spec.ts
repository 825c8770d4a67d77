import { loadOptions } from './load-options.js';
import { parseIngestTokens } from './ingest-tokens.js';

describe('INGEST_TOKENS', () => {
  it('gives each token its tenant; a tenant may have several', () => {
    const tokens = parseIngestTokens('acme=one, acme=two==,globex.eu=a/b+c~d-e_f.g');
    expect([...tokens!]).toEqual([
      ['one', 'acme'],
      ['two==', 'acme'],
      ['a/b+c~d-e_f.g', 'globex.eu'],
    ]);
  });

  it.each(['acme', '=token', 'acme=', 'a b=token', 'acme=two words', 'acme=x,', 'a=x,b=x', 'a=ü'])(
    'refuses %s with a message that does not show it',
    (text) => {
      const load = () => loadOptions({ environment: { INGEST_TOKENS: text }, folder: '/nowhere' });
      expect(load).toThrow(
        'INGEST_TOKENS must be a comma list of tenant=token, each token only once (got a value not shown).',
      );
    },
  );

  it('is a secret: no listing shows it', () => {
    const { settings } = loadOptions({
      environment: { INGEST_TOKENS: 'acme=hidden' },
      folder: '/nowhere',
    });
    expect(JSON.stringify(settings)).not.toContain('hidden');
  });
});
