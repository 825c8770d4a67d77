import { z } from 'zod';

/** Rows of a page unless it is asked for more or fewer, and the most. */
const PAGE_ROWS = 100;
const MOST_ROWS = 1000;
const WHOLE_NUMBER = `must be a whole number between 1 and ${MOST_ROWS}`;

export const partitionsSchema = z.array(
  z.object({
    partition: z.int(),
    owner: z.string().nullable().describe('The instance that has its lease; null: nobody.'),
    isOwn: z.boolean().describe('This replica has it.'),
    leaseExpiresAt: z.iso.datetime().nullable(),
    inFlight: z.int().describe('Records that this process carries.'),
    journalRecords: z.int().describe('Accepted by any replica and not terminal yet.'),
  }),
);

export const PARTITIONS_EXAMPLE = [
  {
    partition: 0,
    owner: 'penstock-0',
    isOwn: true,
    leaseExpiresAt: '2026-01-01T12:00:15.000Z',
    inFlight: 3,
    journalRecords: 3,
  },
];

export const acknowledgmentsQuerySchema = z.strictObject({
  recordId: z.string().max(320).optional().describe('Of one record; a Kafka position as well.'),
  destination: z.string().max(320).optional(),
  outcome: z.enum(['acknowledged', 'discarded']).optional(),
  since: z.iso.datetime({ offset: true }).optional().describe('Accepted at or after it; RFC 3339.'),
  until: z.iso.datetime({ offset: true }).optional().describe('Accepted before it; RFC 3339.'),
  limit: z.coerce
    .number(WHOLE_NUMBER)
    .int(WHOLE_NUMBER)
    .min(1, WHOLE_NUMBER)
    .max(MOST_ROWS, WHOLE_NUMBER)
    .default(PAGE_ROWS)
    .describe('Rows of the page.'),
  cursor: z.string().max(800).optional().describe('`next` of the page before.'),
});

export const acknowledgmentsSchema = z.object({
  acknowledgments: z.array(
    z.object({
      recordId: z.string(),
      destination: z.string(),
      outcome: z.enum(['acknowledged', 'discarded']),
      tenant: z.string(),
      attempts: z.int(),
      acceptedAt: z.iso.datetime(),
      acknowledgedAt: z.iso.datetime(),
      externalId: z.string().nullable(),
      reason: z.string().nullable(),
    }),
  ),
  next: z.string().nullable().describe('The cursor of the next page; null: this is the last.'),
});

export const ACKNOWLEDGMENTS_EXAMPLE = {
  acknowledgments: [
    {
      recordId: '0198f3a2-7c4e-7b21-9c55-2f6d1e0b8a47',
      destination: 'postgres',
      outcome: 'acknowledged',
      tenant: 'default',
      attempts: 1,
      acceptedAt: '2026-01-01T12:00:00.000Z',
      acknowledgedAt: '2026-01-01T12:00:00.250Z',
      externalId: null,
      reason: null,
    },
  ],
  next: null,
};
