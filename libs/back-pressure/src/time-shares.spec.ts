import { FakeClock } from '../../../test/support/fake-clock.js';
import { TimeShares } from './time-shares.js';

const sharesOf = (shares: TimeShares): number[] => {
  const { busyRatio, blockedRatio, idleRatio } = shares.read();
  return [busyRatio, blockedRatio, idleRatio];
};

describe('TimeShares', () => {
  it('shows the last full second and not the running one', () => {
    const clock = new FakeClock();
    const shares = new TimeShares(clock);
    expect(sharesOf(shares)).toEqual([0, 0, 1]);
    clock.advance(400);
    shares.begin();
    clock.advance(500);
    shares.end();
    expect(sharesOf(shares)).toEqual([0, 0, 1]);
    clock.advance(100);
    expect(sharesOf(shares)).toEqual([0.5, 0, 0.5]);
  });

  it('counts a wait for credits as blocked, not as busy, as long as anybody waits', () => {
    const clock = new FakeClock();
    const shares = new TimeShares(clock);
    shares.begin();
    clock.advance(200);
    shares.blocked(true);
    shares.blocked(true);
    clock.advance(300);
    shares.blocked(false);
    clock.advance(300);
    shares.blocked(false);
    clock.advance(200);
    const [busy, blocked, idle] = sharesOf(shares);
    expect([busy, blocked, idle]).toEqual([
      expect.closeTo(0.4),
      expect.closeTo(0.6),
      expect.closeTo(0),
    ]);
  });

  it('shows a state that lasts for seconds without any event', () => {
    const clock = new FakeClock();
    const shares = new TimeShares(clock);
    shares.begin();
    clock.advance(3500);
    expect(sharesOf(shares)).toEqual([1, 0, 0]);
    shares.end();
    clock.advance(600);
    expect(sharesOf(shares)).toEqual([0.5, 0, 0.5]);
    clock.advance(1000);
    expect(sharesOf(shares)).toEqual([0, 0, 1]);
  });

  it('ignores a wait that ends without having begun', () => {
    const clock = new FakeClock();
    const shares = new TimeShares(clock);
    shares.blocked(false);
    shares.blocked(true);
    clock.advance(1000);
    expect(sharesOf(shares)).toEqual([0, 1, 0]);
  });

  it('adds up to 1 in every second, also in one that began before it', () => {
    const clock = new FakeClock();
    clock.advance(123.4);
    const shares = new TimeShares(clock);
    for (let i = 0; i < 200; i += 1) {
      if (i % 2 === 0) shares.begin();
      else shares.end();
      shares.blocked(i % 3 === 0);
      clock.advance((i * 37) % 260);
      const sum = sharesOf(shares).reduce((total, share) => total + share, 0);
      expect(sum).toBeCloseTo(1, 9);
    }
  });

  it('is not changed by reading', () => {
    const clock = new FakeClock();
    const read = new TimeShares(clock);
    const unread = new TimeShares(clock);
    for (let i = 0; i < 50; i += 1) {
      for (const shares of [read, unread]) {
        if (i % 2 === 0) shares.begin();
        else shares.end();
      }
      clock.advance(130);
      read.read();
    }
    expect(sharesOf(read)).toEqual(sharesOf(unread).map((share) => expect.closeTo(share, 9)));
  });
});
