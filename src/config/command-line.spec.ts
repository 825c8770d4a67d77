import { readCommandLine, settingsListing } from './command-line.js';
import { loadOptions } from './load-options.js';

describe('the command line', () => {
  it.each([
    [[], 'run'],
    [['--check-config'], 'check-config'],
    [['--help', '--check-config'], 'help'],
    [['-h'], 'help'],
    [['--version'], 'version'],
  ])('reads %j as %s', (words, command) => {
    expect(readCommandLine(words)).toBe(command);
  });

  it.each([['--chekc-config'], ['start'], ['--help=yes']])('refuses %s', (word) => {
    expect(() => readCommandLine([word])).toThrow(/--?\w|Unexpected argument/);
  });
});

describe('the listing of the settings', () => {
  it('shows each value with its source, no secret, and the warnings', () => {
    const environment = { PORT: '4000', ADMIN_TOKEN: 'secret-token', PIPELINE_MODUL: 'x' };
    const listing = settingsListing(loadOptions({ environment, folder: '/nowhere' }));
    expect(listing).toMatch(/^PORT +4000 +environment$/m);
    expect(listing).toMatch(/^HOST +127\.0\.0\.1 +default$/m);
    expect(listing).toMatch(/^ADMIN_TOKEN +\(set, not shown\) +environment$/m);
    expect(listing).toContain('warning: PIPELINE_MODUL is not a setting');
    expect(listing).not.toContain('secret-token');
  });
});
