import type { Span } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';

import type { RequestTraces, TraceParent } from '../telemetry/request-traces.ts';
import { clientGone, exchangeOf } from './exchange.ts';

const pattern =
  /^(?!ff)(?<version>[\da-f]{2})-(?<traceId>[\da-f]{32})-(?<spanId>[\da-f]{16})-(?<flags>[\da-f]{2})(?<rest>-.*)?$/u;
const onlyZeros = /^0+$/u;

/**
 * Parses the header `traceparent`. Undefined when it is absent or invalid, as the specification requires. Later versions may have more
 * fields after a dash (https://www.w3.org/TR/trace-context/).
 */
export function readTraceparent(header: string | string[] | undefined): TraceParent | undefined {
  if (typeof header !== 'string') return undefined;
  const { version, traceId = '', spanId = '', flags = '', rest } = pattern.exec(header)?.groups ?? {};
  if (version === undefined || (version === '00' && rest !== undefined)) return undefined;
  if (onlyZeros.test(traceId) || onlyZeros.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Gives every request a span, in the trace of the client's `traceparent` or in a new one. The handler runs in that span. */
export function traceRequests(app: FastifyInstance, traces: RequestTraces): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  const end = (request: FastifyRequest, status: number): void => {
    const span = spans.get(request);
    if (span !== undefined) traces.end(span, status);
    spans.delete(request);
  };
  app.addHook('onRequest', (request, { raw }, done) => {
    const { method, headers, protocol: scheme, is404, routeOptions } = request;
    const route = is404 ? undefined : routeOptions.url;
    const span = traces.begin(
      { method, route, scheme, requestId: request.id },
      readTraceparent(headers['traceparent']),
    );
    spans.set(request, span);
    exchangeOf(request.raw).traceId = span.spanContext().traceId;
    raw.on('close', () => end(request, raw.writableFinished ? raw.statusCode : clientGone));
    done();
  });
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    const isEndless = route.config?.endless === true;
    route.handler = function (request, reply) {
      const answer = traces.within(spans.get(request), () => handler.call(this, request, reply));
      // As for the observer: a request with an endless response ends when the response starts.
      if (isEndless) end(request, reply.raw.statusCode);
      return answer;
    };
  });
}
