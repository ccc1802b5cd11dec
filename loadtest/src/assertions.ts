import type { Latencies } from './report.ts';
import { UsageError } from './usage-error.ts';

/** A condition on the results: with `p99<=50`, the 99th percentile must be at most 50 ms. */
export interface Assertion {
  readonly text: string;
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

export const assertionForm =
  `<metric><operator><number>, separated by commas; metrics: ${Object.keys(metrics).join(', ')} (times in ms); ` +
  `operators: ${Object.keys(operators).join(' ')}`;

/** Parses `failed=0,p99<=50`. Throws a `UsageError` that names the invalid part. */
export function parseAssertions(text: string): Assertion[] {
  return text.split(',').map((part) => parseAssertion(part.trim()));
}

function parseAssertion(text: string): Assertion {
  const [, metric = '', operator = '', number = ''] = /^([a-z\d]+%?)\s*([<>=]+)\s*(\d+(?:\.\d+)?)$/u.exec(text) ?? [];
  if (!isKey(metrics, metric) || !isKey(operators, operator))
    throw new UsageError(`--assert does not understand "${text}". It takes ${assertionForm}.`);
  return { text, metric, operator, value: Number(number) };
}

function isKey<Table extends object>(table: Table, key: string | number | symbol): key is keyof Table {
  return Object.hasOwn(table, key);
}

/** One sentence for each missed assertion. A run without requests misses all of them. */
export function misses(latencies: Latencies, assertions: readonly Assertion[]): string[] {
  if (latencies.count === 0) return ['no request was made'];
  return assertions.flatMap(({ text, metric, operator, value }) => {
    const actual = metrics[metric](latencies);
    return operators[operator](actual, value) ? [] : [`${text} is missed: ${metric} is ${round(actual)}`];
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
