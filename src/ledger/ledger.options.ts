import { options, type OptionsOf, wholeNumber } from '../config/option.js';

const GIB = 1_073_741_824;

export const ledgerOptions = options('', {
  journalMaxRecords: wholeNumber({ min: 1 })
    .default(100_000)
    .describe('Accepted records that have not ended; more are refused with 429 `journal-backlog`.'),
  journalMaxBytes: wholeNumber({ min: 1 })
    .default(GIB)
    .describe('Bodies and headers of these records, in bytes; the same refusal.'),
});
export type LedgerOptions = OptionsOf<typeof ledgerOptions>;
