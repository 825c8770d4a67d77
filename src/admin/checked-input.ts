import type { z } from 'zod';
import { adminProblem, invalidInput } from './admin-problem.js';

/** The input by its schema, or a 422 that says where and why not. */
export function checked<T>(schema: z.ZodType<T>, given: unknown): T {
  const result = schema.safeParse(given ?? {});
  if (result.success) return result.data;
  throw invalidInput(
    result.error.issues.map(({ path, message }) => ({
      path: path.map((part) => `/${String(part)}`).join(''),
      message,
    })),
  );
}

/** The query by its schema, or a 400 that names the parameter and the rule. */
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
