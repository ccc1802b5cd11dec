import { errorCodes, type ErrorCode } from '@messenger/protocol/errors';
import type { Problem } from '@messenger/protocol/problem';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';

import { AppError } from '../lib/app-error.ts';
import type { RepeatedLine, RepeatLog } from '../telemetry/repeat-log.ts';
import type { HttpObserver } from './observer.ts';
import { patchTypes } from './json-body.ts';
import { describeInvalid } from './request-validation.ts';
import { problemType } from './security-headers.ts';

/** Our codes for Fastify's errors. */
const fastifyCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_BAD_URL: 'malformed_request',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_request',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_JSON_BODY: 'malformed_json',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'malformed_request',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
};

/** Range of `Retry-After` in seconds: the cause of a 503 ends soon or needs an operator. */
const retryAfter = { least: 1, most: 5 };

/** Random, so that clients do not retry at the same time. */
export function retryAfterSeconds(random: () => number): string {
  const { least, most } = retryAfter;
  return String(least + Math.floor(random() * (most - least + 1)));
}

/** A refusal, or undefined for a defect. */
function toRefusal(error: FastifyError | Error): AppError | undefined {
  if (error instanceof AppError) return error;
  if ('validation' in error) {
    const errors = describeInvalid(error.validation, error.validationContext);
    return new AppError('invalid_request', { errors, cause: error });
  }
  const known = 'code' in error ? fastifyCodes[error.code] : undefined;
  const code = known ?? ('statusCode' in error ? codeOfStatus(error.statusCode) : undefined);
  return code && new AppError(code, { cause: error });
}

/** Plugins such as @fastify/static reject with a status of their own. */
function codeOfStatus(status: number | undefined): ErrorCode | undefined {
  if (status === undefined || status < 400 || status > 499) return undefined;
  return status === 403 || status === 404 ? 'not_found' : 'malformed_request';
}

/** The body of a refusal, as JSON. */
export function renderProblem(code: ErrorCode, requestId: string, refusal?: AppError): string {
  return JSON.stringify(problemOf(code, requestId, refusal));
}

function problemOf(code: ErrorCode, requestId: string, refusal: AppError | undefined): Problem {
  const { status, title } = errorCodes[code];
  const problem: Problem = { type: `urn:messenger:problem:${code}`, title, status, code, request_id: requestId };
  if (refusal?.detail !== undefined) problem.detail = refusal.detail;
  if (refusal?.reason !== undefined) problem.reason = refusal.reason;
  if (refusal?.errors !== undefined) problem.errors = [...refusal.errors];
  return problem;
}

/** Turns errors of frames into the problems that REST would answer with, and logs them as for requests. */
export function createProblems({ failures, observer }: Omit<ErrorHandlerOptions, 'random'>) {
  return (error: unknown, { op, requestId }: { readonly op: string; readonly requestId: string }): Problem => {
    const refusal = error instanceof AppError ? error : undefined;
    const code = refusal?.code ?? 'internal_error';
    const about = () => ({ code, requestId, frame: op });
    if (refusal === undefined)
      failures.add({ level: 'error', key: `defect ${op}`, one: 'a frame failed', many: 'frames failed' }, () => ({
        err: error,
        ...about(),
      }));
    else if (errorCodes[code].status >= 500)
      failures.add(refusalLine(code, op), () => ({ ...about(), cause: causeOf(refusal) }));
    observer?.requestRefused(code);
    return problemOf(code, requestId, refusal);
  };
}

export interface ErrorHandlerOptions {
  readonly failures: RepeatLog;
  readonly random: () => number;
  readonly observer?: HttpObserver | undefined;
}

/**
 * The only place that turns errors into answers. Logs refusals caused by the server (503, 504), without user input, and defects with their
 * stack; a defect is answered without detail. Repeated cases share log lines.
 */
export function createErrorHandler({ failures, random, observer }: ErrorHandlerOptions) {
  return async (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (clientIsGone(request)) return void reply.code(499).send();
    const refusal = toRefusal(error);
    const code = refusal?.code ?? 'internal_error';
    const { status } = errorCodes[code];
    const about = () => ({ code, ...describeRequest(request) });
    if (refusal === undefined) failures.add(defectLine(error, request), () => ({ err: error, ...about() }));
    else if (status >= 500)
      failures.add(refusalLine(code, request.routeOptions.url), () => ({ ...about(), cause: causeOf(refusal) }));
    observer?.requestRefused(code);
    if (status === 503) reply.header('retry-after', retryAfterSeconds(random));
    if (status === 429) reply.header('retry-after', String(refusal?.retryAfterSeconds ?? 60));
    if (status === 401 && !reply.hasHeader('www-authenticate')) reply.header('www-authenticate', 'Bearer');
    if (status === 415 && request.method === 'PATCH') reply.header('accept-patch', patchTypes.join(', '));
    if (status === 408) reply.header('connection', 'close');
    await reply
      .code(status)
      .type(problemType)
      .send(renderProblem(code, request.id, refusal));
  };
}

/** `client` is the peer's address; behind a proxy, the proxy's. */
function describeRequest({ id, routeOptions, raw }: FastifyRequest): object {
  return { requestId: id, traceId: raw.exchange?.traceId, route: routeOptions.url, client: raw.socket.remoteAddress };
}

/** Logs a refusal caused by the server. `route` is the pattern; undefined before routing. */
export function refusalLine(code: ErrorCode, route: string | undefined): RepeatedLine {
  return { level: 'warn', key: `${code} ${route}`, one: 'a request was refused', many: 'requests were refused' };
}

function defectLine({ name }: Error, { routeOptions }: FastifyRequest): RepeatedLine {
  const key = `defect ${routeOptions.url} ${name}`;
  return { level: 'error', key, one: 'a request failed', many: 'requests failed' };
}

function causeOf({ cause }: AppError): string | undefined {
  return cause instanceof Error ? cause.message : undefined;
}

function clientIsGone(request: FastifyRequest): boolean {
  return request.raw.socket.destroyed;
}
