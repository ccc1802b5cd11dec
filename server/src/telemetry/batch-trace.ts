import type { AsyncLocalStorage } from 'node:async_hooks';

import { ROOT_CONTEXT, SpanStatusCode, trace, type Attributes, type Span, type Tracer } from '@opentelemetry/api';

/** A queued call of a traced request. */
export interface TracedCall {
  readonly request: Span;
  readonly beganMs: number;
}

export interface BatchTraceOptions {
  readonly tracer: Tracer;
  readonly current: AsyncLocalStorage<Span | undefined>;
  /** The kind of call. */
  readonly name: string;
  readonly attributes: Attributes;
}

/**
 * Spans of the batches of one kind of call. The batch's span is a child of the first traced request in the batch, so it is
 * recorded when any of the requests is. It links to the other traced requests; each of those has a child span that links back.
 */
export class BatchTrace {
  readonly #options: BatchTraceOptions;

  constructor(options: BatchTraceOptions) {
    this.#options = options;
  }

  /** Adds a call; undefined when its request is not recorded. */
  begin(): TracedCall | undefined {
    const request = this.#options.current.getStore();
    return request?.isRecording() === true ? { request, beganMs: Date.now() } : undefined;
  }

  /** Runs `work`, which executes these calls, in the batch's span. `size` includes calls that are not traced. */
  over(calls: readonly TracedCall[], size: number): <T>(work: () => Promise<T>) => Promise<T> {
    const [first, ...others] = calls;
    const { current } = this.#options;
    if (first === undefined) return async (work) => await current.run(undefined, work);
    return async (work) => {
      const batch = this.#start(first, others, size);
      try {
        return await current.run(batch, work);
      } catch (error) {
        batch.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        batch.end();
        for (const other of others) this.#tellOther(other, batch);
      }
    };
  }

  #start(first: TracedCall, others: readonly TracedCall[], size: number): Span {
    const { tracer, name, attributes } = this.#options;
    const links = others.map(({ request }) => ({ context: request.spanContext() }));
    const told = { ...attributes, 'messenger.batch.size': size, 'messenger.batch.wait_ms': Date.now() - first.beganMs };
    return tracer.startSpan(`batch ${name}`, { links, attributes: told }, trace.setSpan(ROOT_CONTEXT, first.request));
  }

  /** From the call to its result, for a request whose batch belongs to another request's trace. */
  #tellOther({ request, beganMs }: TracedCall, batch: Span): void {
    const { tracer, name, attributes } = this.#options;
    const options = { startTime: beganMs, attributes, links: [{ context: batch.spanContext() }] };
    tracer.startSpan(`call ${name}`, options, trace.setSpan(ROOT_CONTEXT, request)).end();
  }
}
