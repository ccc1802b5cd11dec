import { errorCodes, type ErrorCode } from '@messenger/protocol/errors';
import { Problem, type InvalidField } from '@messenger/protocol/problem';

import { AppError } from '../lib/app-error.ts';
import { renderProblem } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Refusals specific to this route, for the reference. Those implied by its schema are added. */
    refusals?: readonly ErrorCode[];
  }
}

/** The parts of a route's schema that decide which refusals are possible. */
export interface RouteSchema {
  readonly body?: unknown;
  /** Only PATCH names media types. */
  readonly consumes?: readonly string[] | undefined;
  readonly headers?: unknown;
  readonly params?: unknown;
  readonly querystring?: unknown;
}

const ofHttp = ['malformed_request', 'request_timeout', 'headers_too_large', 'internal_error'] as const;
const ofBody = ['malformed_json', 'body_too_large', 'unsupported_media_type', 'expectation_failed'] as const;
const ofDatabases = ['database_unavailable', 'pool_exhausted', 'overloaded', 'statement_timeout'] as const;

/** Routes that use the databases have the consistency header in `headers`. */
export function refusalsOf(schema: RouteSchema, method: string, own: readonly ErrorCode[] = []): ErrorCode[] {
  const { body, headers, params, querystring } = schema;
  const isValidated = [body, headers, params, querystring].some((part) => part !== undefined);
  return [
    ...ofHttp,
    ...(isValidated ? (['invalid_request'] as const) : []),
    ...(body === undefined ? [] : ofBody),
    ...(headers === undefined ? [] : ofDatabases),
    ...(headers === undefined || method === 'GET' ? [] : (['outcome_unknown'] as const)),
    ...own,
  ];
}

/** Responses of OpenAPI by status. The server's own code generates the example of each refusal. */
export function describeRefusals(codes: readonly ErrorCode[], schema: RouteSchema): Readonly<Record<string, object>> {
  const byStatus = Map.groupBy(codes, (code) => errorCodes[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [status, describeStatus(status, ofStatus, schema)] as const),
  );
}

function describeStatus(status: number, codes: readonly ErrorCode[], schema: RouteSchema): object {
  const examples: Record<string, object> = {};
  for (const code of codes) examples[code] = { summary: errorCodes[code].title, value: exampleOf(code, schema) };
  const retryAfter = { 'Retry-After': { type: 'integer', minimum: 1, description: 'Seconds' } };
  return {
    description: codes.map((code) => `\`${code}\`: ${errorCodes[code].title}`).join('. '),
    headers: {
      ...requestId,
      ...(status === 503 || status === 429 ? retryAfter : {}),
      ...(status === 429 ? rateLimit : {}),
      ...(status === 401 ? authenticate : {}),
      ...(status === 415 && schema.consumes !== undefined ? acceptPatch : {}),
    },
    content: { 'application/problem+json': { schema: Problem, examples } },
  };
}

const requestId = {
  'Request-Id': { type: 'string', description: 'Identifies the request in the log of the server' },
};

const rateLimit = {
  'RateLimit-Policy': { type: 'string', description: 'The limit of the account', examples: ['"reads";q=3000;w=60'] },
  RateLimit: { type: 'string', description: 'What is left of it', examples: ['"reads";r=0;t=40'] },
};

const authenticate = {
  'WWW-Authenticate': { type: 'string', description: 'How to authenticate', examples: ['Bearer'] },
};

const acceptPatch = { 'Accept-Patch': { type: 'string', description: 'The types that PATCH accepts' } };

const exampleRequestId = 'b7Qx-1c';

function exampleOf(code: ErrorCode, schema: RouteSchema): unknown {
  const reason = code === 'not_ready' ? { reason: 'draining' } : {};
  const errors = code === 'invalid_request' ? { errors: [invalidFieldOf(schema)] } : {};
  return JSON.parse(renderProblem(code, exampleRequestId, new AppError(code, { ...reason, ...errors })));
}

function invalidFieldOf({ body, params, querystring }: RouteSchema): InvalidField {
  const field = firstProperty(body);
  if (field !== undefined) return { in: 'body', field, message: 'must NOT have more than 100 characters' };
  if (querystring !== undefined)
    return { in: 'query', field: firstProperty(querystring) ?? '', message: 'must be >= 1' };
  if (params !== undefined) return { in: 'path', field: firstProperty(params) ?? '', message: 'must be a UUID' };
  return { in: 'headers', field: 'Consistency-Token', message: 'is not a token of this server' };
}

function firstProperty(schema: unknown): string | undefined {
  const isObject = typeof schema === 'object' && schema !== null && 'properties' in schema;
  const properties = isObject ? schema.properties : undefined;
  return typeof properties === 'object' && properties !== null ? Object.keys(properties)[0] : undefined;
}
