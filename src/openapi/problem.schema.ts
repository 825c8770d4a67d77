import { z } from 'zod';

/** One of several things that are wrong. */
export const issueSchema = z.object({
  path: z.string().describe('JSON pointer (RFC 6901) into the body, in a batch into the record.'),
  message: z.string(),
});

/** RFC 9457, with the members that say what to do about it. */
export const problemSchema = z.object({
  type: z.string().describe('/problems/ and the name of the problem.'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  stage: z.string().optional().describe('The stage that has no room.'),
  signal: z.string().optional().describe('What was measured there.'),
  pressure: z.number().optional(),
  retryAfterMs: z.number().optional(),
  errors: z.array(issueSchema).optional(),
  limitBytes: z.int().optional(),
  limitRecords: z.int().optional(),
});
