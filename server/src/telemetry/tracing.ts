import { AsyncLocalStorage } from 'node:async_hooks';

import type { Span } from '@opentelemetry/api';
import { parseKeyPairsIntoRecord, setGlobalErrorHandler } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';

import { withDeadline } from '../lib/with-deadline.ts';
import type { Log } from './log.ts';
import { RepeatLog, type RepeatedLine } from './repeat-log.ts';
import { RequestTraces } from './request-traces.ts';
import { StatementTraces, type StatementTracesOptions } from './statement-traces.ts';

export interface TracingOptions {
  /** The full URL that spans are sent to. */
  readonly url: string;
  /** `name=value`, separated by commas. Secret. */
  readonly headers: string | undefined;
  readonly timeoutMs: number;
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** `name=value`, separated by commas. */
  readonly resourceAttributes: string | undefined;
  /** A name of `OTEL_TRACES_SAMPLER`. */
  readonly sampler: string;
  /** Traced fraction of the requests, for ratio samplers. */
  readonly ratio: number;
  readonly worker: number;
  readonly databases: StatementTracesOptions['databases'];
}

/** Maximum of queued spans; further ones are dropped. A few MiB. */
const maxQueueSize = 2_048;
/** How long a worker waits at its end for the collector to take the last spans. */
const lastSpansMs = 2_000;

const unsentLine: RepeatedLine = {
  level: 'warn',
  key: 'unsent',
  one: 'spans could not be sent',
  many: 'spans could not be sent again',
};

export interface Tracing {
  readonly requests: RequestTraces;
  readonly statements: StatementTraces;
  /** Sends the queued spans, within two seconds; never rejects. */
  close(): Promise<void>;
}

/**
 * Records OpenTelemetry traces and sends them to a collector by OTLP over HTTP, in the background: a slow or unavailable
 * collector costs spans, never a request. Imported only when traces are on, because the packages cost memory and load time.
 */
export function startTracing(options: TracingOptions, log: Log): Tracing {
  const failures = new RepeatLog(log);
  setGlobalErrorHandler((error) => failures.add(unsentLine, () => ({ reason: reasonOf(error) })));
  const { url, timeoutMs } = options;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: timeoutMs, headers: pairsOf(options.headers) });
  const processor = new BatchSpanProcessor({ exporter, maxQueueSize, exportTimeoutMillis: timeoutMs });
  const provider = new TracerProvider({
    resource: describeService(options),
    sampler: chooseSampler(options),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('messenger', options.serviceVersion);
  const current = new AsyncLocalStorage<Span | undefined>();
  return {
    requests: new RequestTraces(tracer, current),
    statements: new StatementTraces({ tracer, current, databases: options.databases }),
    close: async () => {
      try {
        await withDeadline(provider.shutdown(), lastSpansMs);
      } catch (error) {
        log.warn({ reason: reasonOf(error) }, 'the last spans could not be sent');
      }
      failures.close();
    },
  };
}

function chooseSampler({ sampler, ratio }: TracingOptions): Sampler {
  const root = rootSampler(sampler.replace('parentbased_', ''), ratio);
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root;
}

function rootSampler(name: string, ratio: number): Sampler {
  if (name === 'always_off') return new AlwaysOffSampler();
  return name === 'traceidratio' ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler();
}

function describeService({ serviceName, serviceVersion, resourceAttributes, worker }: TracingOptions): Resource {
  return defaultResource().merge(
    resourceFromAttributes({
      [ATTR_SERVICE_VERSION]: serviceVersion,
      'messenger.worker': worker,
      ...pairsOf(resourceAttributes),
      [ATTR_SERVICE_NAME]: serviceName,
    }),
  );
}

function pairsOf(text: string | undefined): Record<string, string> {
  return parseKeyPairsIntoRecord(text);
}

/** Without the collector's answer, and without what was sent. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error ? `${error.message} (${String(error.code)})` : error.message;
}
