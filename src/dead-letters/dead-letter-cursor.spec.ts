import { cursorText, parseCursor } from './dead-letter-cursor.js';

describe('the cursor of dead letters', () => {
  it('comes back as it was given out', () => {
    const cursor = { at: '2026-01-01T12:00:00.123456Z', id: '42' };
    expect(parseCursor(cursorText(cursor))).toEqual(cursor);
  });

  it.each([
    '',
    'abc',
    cursorText({ at: '2026-01-01', id: '42' }),
    cursorText({ at: '2026-13-01T12:00:00.123456Z', id: '42' }),
    cursorText({ at: '2026-01-01T12:00:00.123456Z', id: '0' }),
    cursorText({ at: '2026-01-01T12:00:00.123456Z', id: '42 or 1=1' }),
    cursorText({ at: '2026-01-01T12:00:00.123456Z', id: '9'.repeat(19) }),
    'A'.repeat(1000),
  ])('is no other text: %s', (text) => {
    expect(parseCursor(text)).toBeUndefined();
  });
});
