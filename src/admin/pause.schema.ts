import { z } from 'zod';

export const pauseStatusSchema = z.object({
  target: z.string().describe('`pipeline`, `source:rest`, `sink:postgres`, …'),
  paused: z.boolean(),
  drain: z.boolean().describe('Paused in order to empty the pipeline.'),
  since: z.iso.datetime().nullable(),
  by: z.string().nullable(),
});

export const PAUSED_EXAMPLE = {
  target: 'pipeline',
  paused: true,
  drain: false,
  since: '2026-01-01T12:00:00.000Z',
  by: 'admin-token@10.0.0.7',
};

export const RESUMED_EXAMPLE = {
  target: 'pipeline',
  paused: false,
  drain: false,
  since: null,
  by: null,
};
