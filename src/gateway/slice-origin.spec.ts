import type { SourceRecord } from '#libs/kafka';
import { makeRecord } from '../../test/support/ledger.js';
import type { PipelineRecord } from '../pipeline/record.js';
import { SliceOrigin } from './slice-origin.js';

function setUp(offsets: readonly bigint[]) {
  const runs: string[] = [];
  const origin = new SliceOrigin({ done: (first, last) => runs.push(`${first}-${last}`) });
  const records = offsets.map((offset): PipelineRecord => {
    const record = makeRecord({ source: 'kafka' });
    const source: SourceRecord = {
      offset,
      timestampMs: 0,
      key: Buffer.from(`k${offset}`),
      value: null,
      headers: undefined,
      sizeBytes: 2,
    };
    origin.add(record, source);
    return record;
  });
  const end = (...at: number[]): void => origin.settled(at.map((i) => records[i]!));
  return { end, origin, records, runs };
}

describe('SliceOrigin', () => {
  it('tells of records that end in their order as one run', () => {
    const { end, runs } = setUp([5n, 6n, 7n, 8n]);
    end(0, 1);
    end(2, 3);
    expect(runs).toEqual(['5-6', '7-8']);
  });

  it('tells runs apart where a record between them has not ended', () => {
    const { end, runs } = setUp([5n, 6n, 7n, 8n]);
    end(0, 2, 3);
    end(1);
    expect(runs).toEqual(['5-5', '7-8', '6-6']);
  });

  it('bridges offsets that belong to no record (SO1)', () => {
    const { end, runs } = setUp([5n, 9n, 10n]);
    end(0, 1, 2);
    expect(runs).toEqual(['5-10']);
  });

  it('tells of records that end in any other order', () => {
    const { end, runs } = setUp([5n, 6n, 7n]);
    end(2, 1, 0);
    expect(runs).toEqual(['7-7', '6-6', '5-5']);
  });

  it('tells of a record once', () => {
    const { end, runs } = setUp([5n]);
    end(0);
    end(0);
    expect(runs).toEqual(['5-5']);
  });

  it('keeps what a record came with until it has ended (SO2)', () => {
    const { end, origin, records } = setUp([5n, 6n]);
    end(0);
    expect(origin.original(records[1]!).key).toEqual(Buffer.from('k6'));
    expect(origin.original(records[0]!)).toEqual({ key: null, value: null });
  });
});
