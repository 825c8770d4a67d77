import { LineSplitter, TOO_LONG, type Line } from './ndjson.js';

const shown = (line: Line) => (line === TOO_LONG ? TOO_LONG : line.toString());
function split(chunks: readonly string[], maxLineBytes = 10) {
  const splitter = new LineSplitter(maxLineBytes);
  const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)).map(shown));
  return [...lines, ...splitter.end().map(shown)];
}

describe('LineSplitter', () => {
  it('gives the same lines wherever the chunks are cut', () => {
    const text = 'one\r\ntwo\n\n  \nthree\nlonger than ten\nfour';
    const expected = ['one', 'two', 'three', TOO_LONG, 'four'];
    for (let at = 0; at <= text.length; at += 1) {
      expect(split([text.slice(0, at), text.slice(at)])).toEqual(expected);
    }
    expect(split(text.split(''))).toEqual(expected);
  });

  it('takes a line of exactly the limit, with and without a carriage return', () => {
    expect(split(['1234567890\n1234567890\r\n12345678901\n'])).toEqual([
      '1234567890',
      '1234567890',
      TOO_LONG,
    ]);
  });

  it('gives the last line when it has no line end, and none for an ended one', () => {
    expect(split(['a\nb'])).toEqual(['a', 'b']);
    expect(split(['a\nb\n'])).toEqual(['a', 'b']);
    expect(split([])).toEqual([]);
  });

  it('tells of a line that is too long once, when it ends', () => {
    const splitter = new LineSplitter(4);
    expect(splitter.push(Buffer.from('12345'))).toEqual([]);
    expect(splitter.push(Buffer.from('67890'))).toEqual([]);
    expect(splitter.push(Buffer.from('1\nok\n')).map(shown)).toEqual([TOO_LONG, 'ok']);
    expect(splitter.push(Buffer.from('123456'))).toEqual([]);
    expect(splitter.end()).toEqual([TOO_LONG]);
  });
});
