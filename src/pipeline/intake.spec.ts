import { Intake } from './intake.js';

describe('Intake', () => {
  it('is closed until the start has ended', () => {
    const intake = new Intake();
    expect(intake.closed?.reason).toBe('starting');
    intake.open('starting');
    expect(intake.closed).toBeUndefined();
  });

  it('tells the weightiest of several reasons, and opens with the last one', () => {
    const intake = new Intake();
    intake.open('starting');
    intake.close('storage-low', 'The disk is full.');
    intake.close('database-away', 'No database.');
    expect(intake.closed?.reason).toBe('database-away');
    expect(intake.all().map(({ reason }) => reason)).toEqual(['database-away', 'storage-low']);
    intake.open('database-away');
    expect(intake.closed?.reason).toBe('storage-low');
    intake.open('storage-low');
    expect(intake.closed).toBeUndefined();
  });

  it('keeps the first moment of a repeated reason and takes the new sentence', () => {
    const intake = new Intake();
    const { sinceMs } = intake.closed!;
    intake.close('starting', 'Still starting.');
    expect(intake.closed).toEqual({ reason: 'starting', detail: 'Still starting.', sinceMs });
  });

  it('takes an opening of what is not closed for nothing', () => {
    const intake = new Intake();
    intake.open('draining');
    expect(intake.closed?.reason).toBe('starting');
  });
});
