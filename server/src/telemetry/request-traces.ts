import type { AsyncLocalStorage } from 'node:async_hooks';

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Span, type Tracer } from '@opentelemetry/api';
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_URL_SCHEME,
} from '@opentelemetry/semantic-conventions';

/** The client's span, from its `traceparent` header (W3C Trace Context): ids in lower-case hex. */
export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** The attributes of a request's span; never its URL, which is user data. */
interface TracedRequest {
  readonly method: string;
  /** The route's pattern; undefined when no route matched. */
  readonly route: string | undefined;
  readonly scheme: string;
  readonly requestId: string;
}

/** One span for each request, by OpenTelemetry's conventions for HTTP servers. */
export class RequestTraces {
  readonly #tracer: Tracer;
  readonly #current: AsyncLocalStorage<Span | undefined>;

  constructor(tracer: Tracer, current: AsyncLocalStorage<Span | undefined>) {
    this.#tracer = tracer;
    this.#current = current;
  }

  /** Continues the client's trace, or starts one. */
  begin({ method, route, scheme, requestId }: TracedRequest, parent: TraceParent | undefined): Span {
    const name = route === undefined ? method : `${method} ${route}`;
    const attributes = {
      [ATTR_HTTP_REQUEST_METHOD]: method,
      [ATTR_URL_SCHEME]: scheme,
      'messenger.request.id': requestId,
      ...(route === undefined ? {} : { [ATTR_HTTP_ROUTE]: route }),
    };
    return this.#tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, contextOf(parent));
  }

  end(span: Span, status: number): void {
    span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (status >= 500) span.setAttribute(ATTR_ERROR_TYPE, String(status)).setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }

  /** Runs `work`, and everything it starts, in the span. */
  within<T>(span: Span | undefined, work: () => T): T {
    return this.#current.run(span, work);
  }
}

function contextOf(parent: TraceParent | undefined): typeof ROOT_CONTEXT {
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = parent;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
