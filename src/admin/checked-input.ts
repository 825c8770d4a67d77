import type { z } from 'zod';
import { invalidInput } from './admin-problem.js';

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
