import { HttpException } from '@nestjs/common';
import type { z } from 'zod';

/** A problem document of the admin API, as an exception. */
export function adminProblem(
  status: number,
  name: string,
  title: string,
  detail: string,
): HttpException {
  return new HttpException({ type: `/problems/${name}`, title, status, detail }, status);
}

/** Checks the query of a request; throws a 400 that names the parameter and the rule. */
export function checkQuery<Schema extends z.ZodType>(
  schema: Schema,
  query: unknown,
): z.output<Schema> {
  const result = schema.safeParse(query);
  if (result.success) return result.data;
  const detail = result.error.issues.map(sentenceOf).join(' ');
  throw adminProblem(400, 'malformed', 'The request is malformed', detail);
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return `There is no parameter ${issue.keys.join(', ')}.`;
  return `The parameter ${String(issue.path[0])} ${issue.message}.`;
}
