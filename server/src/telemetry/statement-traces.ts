import type { AsyncLocalStorage } from 'node:async_hooks';

import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Span, type Tracer } from '@opentelemetry/api';
import {
  ATTR_DB_NAMESPACE,
  ATTR_DB_OPERATION_BATCH_SIZE,
  ATTR_DB_QUERY_SUMMARY,
  ATTR_DB_SYSTEM_NAME,
  DB_SYSTEM_NAME_VALUE_POSTGRESQL,
} from '@opentelemetry/semantic-conventions';

import type { DbObserver, EndedStatement } from '../db/observer.ts';
import { BatchTrace } from './batch-trace.ts';

type Pool = EndedStatement['pool'];

export interface StatementTracesOptions {
  readonly tracer: Tracer;
  readonly current: AsyncLocalStorage<Span | undefined>;
  /** Names of the databases. */
  readonly databases: Readonly<Record<Pool, string>>;
}

/** A span for each statement of a traced request or batch, with the statement's name, never its text. */
export class StatementTraces implements Pick<DbObserver, 'statementEnded'> {
  readonly #options: StatementTracesOptions;

  constructor(options: StatementTracesOptions) {
    this.#options = options;
  }

  ofBatches(name: string, pool: Pool): BatchTrace {
    const { tracer, current } = this.#options;
    return new BatchTrace({ tracer, current, name, attributes: { 'messenger.pool': pool } });
  }

  statementEnded({ pool, name, durationMs, batchSize, failed }: EndedStatement): void {
    const { tracer, current, databases } = this.#options;
    const parent = current.getStore();
    // Work that a request only started, such as a watch, continues after its end.
    if (parent?.isRecording() !== true) return;
    const attributes = {
      [ATTR_DB_SYSTEM_NAME]: DB_SYSTEM_NAME_VALUE_POSTGRESQL,
      [ATTR_DB_NAMESPACE]: databases[pool],
      [ATTR_DB_QUERY_SUMMARY]: name,
      'messenger.pool': pool,
      // By the conventions, a batch has at least two.
      ...(batchSize > 1 ? { [ATTR_DB_OPERATION_BATCH_SIZE]: batchSize } : {}),
    };
    const startTime = Date.now() - durationMs;
    const span = tracer.startSpan(
      name,
      { kind: SpanKind.CLIENT, startTime, attributes },
      trace.setSpan(ROOT_CONTEXT, parent),
    );
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }
}
