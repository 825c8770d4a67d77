/**
 * Holds HTTP answers against an OpenAPI 3.1 document.
 *
 * AC1 an answer fits when its path, method, status, media type, body and header fields are described: anything that is
 *     not described is said, anything described that is missing too.
 * AC2 outside of the document only these are known: the pages of Swagger UI, 404 for what has no route, 405 with `Allow`
 *     for a method that a path does not have, 204 with `Allow` for OPTIONS, 400 for a URL that can't be read, 503 while the
 *     service starts.
 * AC3 a schema is compiled when the first answer needs it, and once for all places that have it.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { problemSchema } from '../../src/openapi/problem.schema.js';

export interface Answer {
  readonly method: string;
  /** With or without a query. */
  readonly url: string;
  readonly status: number;
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined when it can't be known: a stream, or an answer that was cut off. */
  readonly body: string | undefined;
}

interface Media {
  readonly schema: object;
}
interface DescribedHeader {
  readonly required?: boolean;
  readonly schema: object & { readonly type?: string };
}
interface DescribedAnswer {
  readonly headers?: Readonly<Record<string, DescribedHeader>>;
  readonly content?: Readonly<Record<string, Media>>;
}
interface Operation {
  readonly responses: Readonly<Record<string, DescribedAnswer>>;
}
export interface ApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Fields that say something of the API's own; others are the protocol's. */
const API_HEADERS = [
  'location',
  'retry-after',
  'ratelimit',
  'ratelimit-policy',
  'www-authenticate',
  'preference-applied',
  'idempotency-replayed',
] as const;
const PROBLEM_TYPE = 'application/problem+json';
const PROBLEM: DescribedAnswer = {
  content: {
    [PROBLEM_TYPE]: { schema: z.toJSONSchema(problemSchema, { target: 'draft-2020-12' }) },
  },
};
/** Where a problem may carry any field that goes with its status. */
const FIELDS_OF_PROBLEMS = { 405: ['allow'], 503: ['retry-after'] } as const;
/** Of OPTIONS. */
const METHODS_ONLY: DescribedAnswer = { headers: { allow: { required: true, schema: {} } } };
const UNREADABLE_URL = 400;
const SWAGGER_UI = /^\/docs(\/|$)/;
const NOTHING_HERE = '"There is nothing at this path."';

export class AnswerCheck {
  private readonly ajv = new Ajv2020({ strict: false, validateFormats: false });
  private readonly compiled = new Map<string, ValidateFunction>();
  private readonly paths: readonly (readonly [RegExp, Readonly<Record<string, Operation>>])[];

  constructor(document: ApiDocument) {
    const isPlain = (path: string): number => Number(path.includes('{'));
    this.paths = Object.entries(document.paths)
      .toSorted(([a], [b]) => isPlain(a) - isPlain(b))
      .map(([path, item]) => [patternOf(path), item] as const);
  }

  /** What does not fit, each as a sentence; empty when everything does. */
  misfits(answer: Answer): string[] {
    const path = pathOf(answer.url);
    if (SWAGGER_UI.test(path)) return [];
    const described = this.describedOf(answer, path);
    const name = `${answer.method} ${path} ${answer.status}`;
    if (described === undefined) return [`${name}: is not in the document`];
    return [
      ...this.contentMisfits(answer, described),
      ...this.headerMisfits(answer, described),
    ].map((misfit) => `${name}: ${misfit}`);
  }

  private describedOf(answer: Answer, path: string): DescribedAnswer | undefined {
    const { method, status, body = '' } = answer;
    if (method === 'OPTIONS' && status === 204) return METHODS_ONLY;
    const item = this.paths.find(([pattern]) => pattern.test(path))?.[1];
    const operation = item?.[(method === 'HEAD' ? 'GET' : method).toLowerCase()];
    // One listener has only some of the routes (ADMIN_PORT).
    const isNowhere = status === 404 && (item === undefined || body.includes(NOTHING_HERE));
    const isElsewhere = item === undefined && (status === UNREADABLE_URL || status === 503);
    const isOtherMethod = item !== undefined && operation === undefined && status === 405;
    if (isNowhere || isElsewhere || isOtherMethod) {
      const fields = status === 405 || status === 503 ? FIELDS_OF_PROBLEMS[status] : [];
      const headers = fields.map((field) => [field, { required: true, schema: {} }]);
      return { ...PROBLEM, headers: Object.fromEntries(headers) };
    }
    return operation?.responses[String(status)];
  }

  private contentMisfits({ method, headers, body }: Answer, { content }: DescribedAnswer) {
    const type = (headers['content-type'] ?? '').split(';')[0]!.trim();
    const media = content?.[type];
    if (content === undefined) return body === undefined || body === '' ? [] : ['has a body'];
    if (media === undefined) return [`has the media type "${type}", not described`];
    if (body === undefined || method === 'HEAD') return [];
    const value: unknown = /[/+]json$/.test(type) ? parsed(body) : body;
    return this.valueMisfits(media.schema, value).map((text) => `body${text}`);
  }

  private headerMisfits({ headers }: Answer, described: DescribedAnswer): string[] {
    const known = new Map(
      Object.entries(described.headers ?? {}).map(([name, each]) => [name.toLowerCase(), each]),
    );
    const unknown = API_HEADERS.filter((name) => name in headers && !known.has(name));
    return [
      ...unknown.map((name) => `has the field ${name}, not described`),
      ...Array.from(known).flatMap(([name, { required = false, schema }]) => {
        const text = headers[name];
        if (text === undefined) return required ? [`lacks the field ${name}`] : [];
        const value = schema.type === 'integer' && /^\d+$/.test(text) ? Number(text) : text;
        return this.valueMisfits(schema, value).map((misfit) => `field ${name}${misfit}`);
      }),
    ];
  }

  private valueMisfits(schema: object, value: unknown): string[] {
    const key = JSON.stringify(schema);
    const validate = this.compiled.get(key) ?? this.ajv.compile(schema);
    this.compiled.set(key, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
}

function pathOf(url: string): string {
  const { pathname } = new URL(url.replace(/#.*$/, ''), 'http://localhost');
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname; // Not readable; the service says the same.
  }
}

function patternOf(path: string): RegExp {
  const escaped = path.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll(/\{\w+\}/g, '[^/]+')}/?$`);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // Fits no schema that asks for anything.
  }
}
