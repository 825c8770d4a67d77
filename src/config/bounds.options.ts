import { options, type OptionsOf, wholeNumber } from './option.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** A key costs a row of about 150 bytes for all this time. */
const HOURS_OF_A_YEAR = 8760;

export const boundsOptions = options('', {
  maxBodyBytes: wholeNumber({ min: 1 })
    .default(MIB)
    .describe('Longest request body that is not a stream, in bytes.'),
  maxRecordBytes: wholeNumber({ min: 1 })
    .default(256 * KIB)
    .describe('Longest single record, in bytes.'),
  maxBatchRecords: wholeNumber({ min: 1 })
    .default(10_000)
    .describe('Most records of one batch request.'),
  maxStreamBytes: wholeNumber({ min: 1 })
    .default(64 * MIB)
    .describe('Longest NDJSON stream, in bytes.'),
  idempotencyTtlHours: wholeNumber({ min: 1, max: HOURS_OF_A_YEAR })
    .default(24)
    .describe('How long an `Idempotency-Key` is kept after its record was accepted, in hours.'),
});
export type BoundsOptions = OptionsOf<typeof boundsOptions>;
export const BOUNDS_OPTIONS = Symbol('BOUNDS_OPTIONS');
