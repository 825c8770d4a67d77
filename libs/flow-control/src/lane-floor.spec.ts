import { LaneFloor } from './lane-floor.js';

describe('LaneFloor', () => {
  it('keeps a credit for each active lane that holds none', () => {
    const floor = new LaneFloor();
    floor.activeLanes = 4;
    expect(floor.share(10, 'A')).toBe(7);
    floor.take('A', 7);
    expect(floor.share(3, 'A')).toBe(0);
    expect(floor.share(3, 'B')).toBe(1);
    floor.take('B', 1);
    expect(floor.share(2, 'C')).toBe(1);
    floor.take('C', 1);
    expect(floor.share(1, 'D')).toBe(1);
    floor.take('D', 1);
    expect(floor.share(5, 'A')).toBe(5);
  });

  it('gives a lane without a credit its first one even when too few are left for the others', () => {
    const floor = new LaneFloor();
    floor.activeLanes = 4;
    expect(floor.share(1, 'A')).toBe(1);
    expect(floor.share(0, 'A')).toBe(0);
    expect(floor.share(-2, 'A')).toBe(-2);
  });

  it('counts a lane as empty again when all it held came back', () => {
    const floor = new LaneFloor();
    floor.activeLanes = 2;
    floor.take('A', 2);
    floor.take('A', 1);
    floor.take('B', 1);
    expect(floor.share(5, 'A')).toBe(5);
    floor.giveBack('B', 1);
    expect(floor.share(6, 'A')).toBe(5);
    floor.giveBack('A', 2);
    expect(floor.share(8, 'B')).toBe(8);
    floor.giveBack('A', 1);
    expect(floor.share(8, 'B')).toBe(7);
  });

  it('leaves a request without a lane, and a pool without active lanes, alone', () => {
    const floor = new LaneFloor();
    expect(floor.share(10, 'A')).toBe(10);
    floor.activeLanes = 4;
    expect(floor.share(10, undefined)).toBe(10);
    floor.take(undefined, 3);
    floor.giveBack(undefined, 3);
    expect(floor.share(10, 'A')).toBe(7);
  });

  it('takes nothing back from a lane that holds nothing', () => {
    const floor = new LaneFloor();
    floor.activeLanes = 2;
    floor.giveBack('A', 1);
    expect(floor.share(3, 'A')).toBe(2);
  });

  it('holds nothing back when more lanes hold credits than are active', () => {
    const floor = new LaneFloor();
    floor.activeLanes = 1;
    floor.take('A', 1);
    floor.take('B', 1);
    expect(floor.share(3, 'A')).toBe(3);
    expect(floor.share(3, 'C')).toBe(3);
  });
});
