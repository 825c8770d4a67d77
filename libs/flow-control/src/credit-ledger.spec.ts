import { CreditLedger } from './credit-ledger.js';

describe('CreditLedger', () => {
  const start = () => {
    const onReturn = jest.fn<void, [number]>();
    return { onReturn, ledger: new CreditLedger('Gateway', onReturn) };
  };

  it('gives all of a lot back at once, with its bytes, and tells what was out before (I4)', () => {
    const { ledger, onReturn } = start();
    const lot = ledger.take(5, 1500, undefined, 7);
    expect(lot).toMatchObject({ pool: 'Gateway', count: 5, bytes: 1500, grantedAtMs: 7 });
    lot.release();
    expect(ledger).toMatchObject({
      outstanding: 0,
      outstandingBytes: 0,
      granted: 5,
      returned: 5,
      surplus: 0,
    });
    expect(onReturn.mock.calls).toEqual([[5]]);
  });

  it('gives parts back, each with its share of the bytes, the last with the rest', () => {
    const { ledger } = start();
    const lot = ledger.take(3, 100, undefined, 0);
    lot.release(1);
    expect(lot).toMatchObject({ count: 2, bytes: 67 });
    lot.release(1, 60);
    expect(lot).toMatchObject({ count: 1, bytes: 7 });
    lot.release(1, 2);
    expect(lot).toMatchObject({ count: 0, bytes: 0 });
    expect(ledger).toMatchObject({ outstanding: 0, outstandingBytes: 0, surplusBytes: 0 });
  });

  it('counts what was not left and ignores it', () => {
    const { ledger, onReturn } = start();
    const lot = ledger.take(3, 30, undefined, 0);
    lot.release(1, 40);
    expect(ledger).toMatchObject({ outstanding: 2, outstandingBytes: 0, surplusBytes: 10 });
    lot.release(5);
    lot.release();
    lot.release(2);
    expect(ledger).toMatchObject({ outstanding: 0, returned: 3, surplus: 3 + 1 + 2 });
    expect(onReturn).toHaveBeenCalledTimes(2);
  });

  it.each([0, -1, NaN])('takes a release of %d for none', (count) => {
    const { ledger } = start();
    const lot = ledger.take(3, 30, undefined, 0);
    lot.release(count);
    ledger.takeCount(1);
    ledger.giveBackCount(count);
    expect(ledger).toMatchObject({ outstanding: 4, outstandingBytes: 30, surplus: 0 });
  });

  it('never mints bytes from a negative number', () => {
    const { ledger } = start();
    ledger.take(3, 30, undefined, 0).release(1, -5);
    expect(ledger).toMatchObject({ outstanding: 2, outstandingBytes: 30 });
  });

  it('disposes of what is left, and of nothing when nothing is', () => {
    const { ledger } = start();
    {
      using lot = ledger.take(3, 30, undefined, 0);
      lot.release(1);
    }
    {
      using lot = ledger.take(3, 30, undefined, 0);
      lot.release();
    }
    expect(ledger).toMatchObject({ outstanding: 0, outstandingBytes: 0, surplus: 0 });
  });

  it('knows the oldest lot, whichever comes back first', () => {
    const { ledger } = start();
    const [a, b, c] = [1, 2, 3].map((nowMs) => ledger.take(1, 0, undefined, nowMs));
    b?.release();
    expect(ledger.oldestGrantedAtMs).toBe(1);
    a?.release();
    expect(ledger.oldestGrantedAtMs).toBe(3);
    ledger.take(1, 0, undefined, 4).release();
    expect(ledger.oldestGrantedAtMs).toBe(3);
    c?.release();
    expect(ledger.oldestGrantedAtMs).toBeUndefined();
  });

  it('keeps the count form apart from the lots: neither gives back what the other holds', () => {
    const { ledger } = start();
    const lot = ledger.take(2, 0, undefined, 0);
    ledger.takeCount(3);
    ledger.giveBackCount(4);
    expect(ledger).toMatchObject({ outstanding: 2, surplus: 1 });
    ledger.giveBackCount(1);
    expect(ledger).toMatchObject({ outstanding: 2, surplus: 2 });
    lot.release();
    expect(ledger).toMatchObject({ outstanding: 0, granted: 5, returned: 5 });
  });
});
