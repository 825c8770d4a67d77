import { z } from 'zod';
import type { FailedAttempt } from './record.js';

/** A failed attempt as it is shown. */
export const failedAttemptSchema = z.object({
  at: z.iso.datetime(),
  stage: z.string(),
  destination: z.string(),
  error: z.string(),
  status: z.int().optional(),
});

export function failedAttemptAnswer({ atMs, ...rest }: FailedAttempt) {
  return { at: new Date(atMs).toISOString(), ...rest };
}
