import { acknowledgmentDays, uuidLowerBound } from './acknowledgment-days.js';

const NEW_YEAR_2026_MS = Date.UTC(2026, 0, 1);

describe('acknowledgment days', () => {
  it('writes the milliseconds as the first twelve hex digits', () => {
    expect(uuidLowerBound(NEW_YEAR_2026_MS)).toBe('019b76da-a800-0000-0000-000000000000');
    expect(uuidLowerBound(0)).toBe('00000000-0000-0000-0000-000000000000');
  });

  it('names a partition after its UTC day and bounds it by midnight', () => {
    const lastMillisecond = NEW_YEAR_2026_MS + 86_399_999;
    expect(acknowledgmentDays(lastMillisecond, 0, 0)).toEqual([
      {
        table: 'acknowledgment_20260101',
        from: '019b76da-a800-0000-0000-000000000000',
        to: '019b7c01-0400-0000-0000-000000000000',
      },
    ]);
  });

  it('leaves no gap and no overlap between days, also over the end of a month', () => {
    const days = acknowledgmentDays(Date.UTC(2026, 1, 27, 12), 1, 7);
    expect(days.map((day) => day.table.slice(-4))).toEqual([
      '0226',
      '0227',
      '0228',
      '0301',
      '0302',
      '0303',
      '0304',
      '0305',
      '0306',
    ]);
    for (let index = 1; index < days.length; index += 1) {
      expect(days[index]?.from).toBe(days[index - 1]?.to);
    }
  });
});
