import type { Latencies, RequestLatencies } from './report.ts';
import { UsageError } from './usage-error.ts';

/** A condition on the results: with `p99<=50`, the 99th percentile must be at most 50 ms. */
export interface Assertion {
  readonly text: string;
  /** With `delivery.p99<=100`, the name of the request in lower case with hyphens; undefined for the whole run. */
  readonly request: string | undefined;
  readonly metric: Metric;
  readonly operator: Operator;
  readonly value: number;
}

const metrics = {
  failed: ({ failed }: Latencies) => failed,
  'failed%': ({ failed, count }: Latencies) => (count === 0 ? 0 : (failed / count) * 100),
  min: ({ minMs }: Latencies) => minMs,
  mean: ({ meanMs }: Latencies) => meanMs,
  p50: ({ p50Ms }: Latencies) => p50Ms,
  p75: ({ p75Ms }: Latencies) => p75Ms,
  p95: ({ p95Ms }: Latencies) => p95Ms,
  p99: ({ p99Ms }: Latencies) => p99Ms,
  max: ({ maxMs }: Latencies) => maxMs,
  rps: ({ requestsPerSecond }: Latencies) => requestsPerSecond,
} as const;

const operators = {
  '=': (a: number, b: number) => a === b,
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
} as const;

type Metric = keyof typeof metrics;
type Operator = keyof typeof operators;

export const defaultAssertions = 'failed=0,p99<=50';
/** Promised for a machine whose CPU is not the limit. */
export const chatAssertions = 'failed=0,delivery.p99<=100';

export const assertionForm =
  `[<request>.]<metric><operator><number>, separated by commas; metrics: ${Object.keys(metrics).join(', ')} (times in ms); ` +
  `operators: ${Object.keys(operators).join(' ')}`;

/** Parses `failed=0,p99<=50`. Throws a `UsageError` that names the invalid part. */
export function parseAssertions(text: string): Assertion[] {
  return text.split(',').map((part) => parseAssertion(part.trim()));
}

function parseAssertion(text: string): Assertion {
  const form = /^(?:([a-z-]+)\.)?([a-z\d]+%?)\s*([<>=]+)\s*(\d+(?:\.\d+)?)$/u;
  const [, request, metric = '', operator = '', number = ''] = form.exec(text) ?? [];
  if (!isKey(metrics, metric) || !isKey(operators, operator))
    throw new UsageError(`--assert does not understand "${text}". It takes ${assertionForm}.`);
  return { text, request, metric, operator, value: Number(number) };
}

function isKey<Table extends object>(table: Table, key: string | number | symbol): key is keyof Table {
  return Object.hasOwn(table, key);
}

/** One sentence for each missed assertion. A run without requests misses all of them, also of one kind of request. */
export function misses(
  total: Latencies,
  assertions: readonly Assertion[],
  requests: readonly RequestLatencies[] = [],
): string[] {
  if (total.count === 0) return ['no request was made'];
  return assertions.flatMap(({ text, request, metric, operator, value }) => {
    const latencies = request === undefined ? total : requests.find(({ name }) => slugOf(name) === request);
    if (latencies === undefined || latencies.count === 0) return [`${text} is missed: there was no such request`];
    const actual = metrics[metric](latencies);
    return operators[operator](actual, value) ? [] : [`${text} is missed: ${metric} is ${round(actual)}`];
  });
}

function slugOf(name: string): string {
  return name.toLowerCase().replaceAll(' ', '-');
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
