import fc from 'fast-check';
import { parseJsonBody } from '../../src/gateway/json/json-body.js';
import { isSafeNumber } from '../../src/gateway/json/json-number.js';
import { isPlainJson } from '../../src/gateway/json/json-scan.js';
import { LineSplitter, TOO_LONG } from '../../src/gateway/json/ndjson.js';

/** A JSON value as text whose numbers and escapes are spelled as a sender may spell them. */
const stringText = fc
  .array(
    fc.oneof(
      fc.constantFrom('a', ' ', '\\\\', '\\"', '\\n', '\\/', '{', '[', ',', '1e400', 'é', '😀'),
      fc.constantFrom(
        '\\u0000',
        '\\u0001',
        '\\ud83d',
        '\\ude00',
        '\\ud83d\\ude00',
        '\\uD800\\uDBFF',
      ),
      fc.constantFrom('\\u00e9', '\\udfff', '\\uDC00', '\\\\u0000', '\\\\ud800', '\\u0020'),
    ),
    { maxLength: 6 },
  )
  .map((parts) => `"${parts.join('')}"`);
const numberText = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
  fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }).map(String),
  fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.nat(), fc.integer({ min: -420, max: 420 }))
    .map(([whole, part, exponent]) => `${whole}.${part}e${exponent}`),
  fc.constantFrom('0', '-0', '0.0', '1e400', '1E-400', '0e999', '9007199254740992', '1.50'),
);
const { tree: jsonText } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthIdentifier: 'json' },
    fc.constantFrom('true', 'false', 'null'),
    numberText,
    stringText,
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => `[ ${items.join(' ,\n')}]`),
    fc
      .array(fc.tuple(stringText, tie('tree')), { maxLength: 4 })
      .map((members) => `{${members.map(([name, value]) => `${name} :${value}`).join(',')}}`),
  ),
}));

/** The number's exact value, as digits without zeros at either end and the place of the last one. */
function exact(token: string): { digits: string; place: number } {
  const [mantissa = '', exponent = '0'] = token.toLowerCase().split('e');
  const [whole = '', part = ''] = mantissa.replace('-', '').split('.');
  const all = (whole + part).replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return { digits, place: 0 };
  return { digits, place: Number(exponent) - part.length + (all.length - digits.length) };
}

/** The same rule, told by what the double becomes instead of by the token's form. */
function isSafeReference(token: string): boolean {
  const { digits, place } = exact(token);
  const value = Number(token);
  if (digits === '') return true;
  if (digits.length > 17 || !Number.isFinite(value) || value === 0) return false;
  if (Math.abs(value) < 2 ** -1022) {
    // The doubles are far apart here: it is written again as the nearest of them.
    const again = exact(JSON.stringify(value));
    return again.digits === digits && again.place === place;
  }
  const isPlain = !/e/i.test(token);
  return !isPlain || Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

/** Pointers of what is bad in a value; numbers are found by markers that were put in their places. */
function badPlaces(value: unknown, path: string, places: string[]): string[] {
  if (typeof value === 'string') {
    if (value.startsWith('\u0001number:')) {
      if (!isSafeReference(value.slice(8))) places.push(path);
    } else if (isBadText(value)) places.push(path);
  } else if (Array.isArray(value)) {
    value.forEach((item, index) => badPlaces(item, `${path}/${index}`, places));
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      const at = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (isBadText(name)) places.push(at);
      badPlaces(member, at, places);
    }
  }
  return places;
}

const isBadText = (text: string): boolean => text.includes('\0') || encodeFails(text);
function encodeFails(text: string): boolean {
  try {
    encodeURIComponent(text);
    return false;
  } catch {
    return true;
  }
}

/** Every number becomes a text with its spelling; text is left alone. */
const marked = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/gs, (token) =>
    token.startsWith('"') ? token : JSON.stringify(`\u0001number:${token}`),
  );

describe('The checks of a JSON body', () => {
  it('find the same places as a walk over the parsed value', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        const { value, issues } = parseJsonBody(Buffer.from(text));
        expect(value).toEqual(JSON.parse(text));
        const expected = new Set(badPlaces(JSON.parse(marked(text)), '', []));
        const found = new Set(issues.map(({ path }) => path));
        // Of one member or element no more than ten issues are listed.
        const comparable =
          issues.length < 10 ? expected : new Set([...expected].filter((path) => found.has(path)));
        expect(found).toEqual(comparable);
      }),
      { numRuns: 3000, examples: [['0.1456427685e-314'], ['4.9e-324'], ['5e-324']] },
    );
  });

  it('clear a text only when the walk finds nothing', () => {
    fc.assert(
      fc.property(jsonText, (text) => {
        const places = badPlaces(JSON.parse(marked(text)), '', []);
        expect(isPlainJson(Buffer.from(text)) ? places : []).toEqual([]);
      }),
      { numRuns: 3000 },
    );
  });

  it('never fail on bytes that are not JSON', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(typeof isPlainJson(bytes)).toBe('boolean');
      }),
    );
  });

  it('take every number that JavaScript prints, but for whole ones beyond 2^53 − 1', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const printed = JSON.stringify(value);
        const isPlainLarge = !printed.includes('e') && Math.abs(value) > Number.MAX_SAFE_INTEGER;
        expect(isSafeNumber(printed)).toBe(!isPlainLarge);
      }),
    );
  });

  it('keep every digit of a number that has 15 or fewer and passes', () => {
    fc.assert(
      fc.property(numberText, (token) => {
        const given = exact(token);
        fc.pre(isSafeNumber(token) && given.digits.length <= 15);
        expect(exact(String(Number(token)))).toEqual(given);
      }),
    );
  });
});

describe('LineSplitter', () => {
  it('gives the lines of a text, however it is cut', () => {
    const text = fc
      .array(fc.constantFrom('a', 'bc', '\n', '\r\n', ' ', '1234567'), { maxLength: 30 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, fc.array(fc.nat(60), { maxLength: 6 }), (whole, cuts) => {
        const splitter = new LineSplitter(6);
        const points = [0, ...cuts.toSorted((a, b) => a - b), whole.length];
        const chunks = points
          .slice(1)
          .map((end, i) => whole.slice(points[i], Math.max(end, points[i]!)));
        const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
        const shown = [...lines, ...splitter.end()].map((line) =>
          line === TOO_LONG ? TOO_LONG : line.toString(),
        );
        const expected = whole
          .split('\n')
          .map((line) => line.replace(/\r$/, ''))
          .map((line) => (line.length > 6 ? TOO_LONG : line))
          .filter((line) => line === TOO_LONG || /[^ \r\t]/.test(line));
        expect(shown).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });
});
