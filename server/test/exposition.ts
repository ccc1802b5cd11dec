import assert from 'node:assert/strict';

/** One line of a scrape. */
interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A scrape, parsed strictly; throws for anything that Prometheus might reject. */
export interface Exposition {
  readonly samples: readonly Sample[];
  /** By declared name. */
  readonly types: ReadonlyMap<string, string>;
}

const sampleLine = /^(?<name>[a-z_][a-z0-9_]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/u;
const labelPair = /^(?<name>[a-z_][a-z0-9_]*)="(?<value>(?:[^"\\\n]|\\["\\n])*)"(?:,|$)/u;

/** The text format of Prometheus (0.0.4) or, with `isOpen`, of OpenMetrics (1.0.0). */
export function parseExposition(text: string, isOpen = false): Exposition {
  const lines = text.split('\n');
  assert.equal(lines.pop(), '', 'it ends with a line feed');
  if (isOpen) assert.equal(lines.pop(), '# EOF', 'OpenMetrics says where it ends');
  const types = new Map<string, string>();
  const helped = new Set<string>();
  const samples: Sample[] = [];
  const seen = new Set<string>();
  let current = '';
  for (const line of lines) {
    if (line === '' && !isOpen) continue;
    const [, keyword, declared = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/u.exec(line) ?? [];
    if (keyword === 'HELP') {
      assert(!helped.has(declared), `${declared} is explained once`);
      helped.add(declared);
      current = declared;
    } else if (keyword === 'TYPE') {
      assert(['counter', 'gauge', 'histogram'].includes(rest), line);
      assert.equal(declared, current, 'the type follows the explanation');
      types.set(declared, rest);
    } else {
      const sample = parseSample(line);
      assert.equal(familyOf(sample.name, types.get(current), isOpen), current, `${line} is below its declaration`);
      const key = line.slice(0, line.lastIndexOf(' '));
      assert(!seen.has(key), `${key} is there once`);
      seen.add(key);
      samples.push(sample);
    }
  }
  assertHistograms(samples, types);
  return { samples, types };
}

function parseSample(line: string): Sample {
  const { name, labels: text = '', value } = sampleLine.exec(line)?.groups ?? {};
  assert(name !== undefined && value !== undefined, `not a sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const pair = labelPair.exec(rest);
    assert(pair?.groups !== undefined, `not a label: ${rest}`);
    labels[pair.groups['name'] ?? ''] = pair.groups['value'] ?? '';
    rest = rest.slice(pair[0].length);
  }
  const number = value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value);
  assert(!Number.isNaN(number), `not a number: ${line}`);
  return { name, labels, value: number };
}

/** The declared name that a sample belongs to. */
function familyOf(name: string, type: string | undefined, isOpen: boolean): string {
  if (type === 'histogram') return name.replace(/_(?:bucket|sum|count)$/u, '');
  if (type !== 'counter') return name;
  assert(name.endsWith('_total'), `${name} is a counter`);
  assert(!name.endsWith('_total_total'), `${name} has its suffix once`);
  return isOpen ? name.replace(/_total$/u, '') : name;
}

/** Buckets are cumulative, and the last one contains everything. */
function assertHistograms(samples: readonly Sample[], types: ReadonlyMap<string, string>): void {
  for (const [name, type] of types) {
    if (type !== 'histogram') continue;
    const buckets = Map.groupBy(
      samples.filter((sample) => sample.name === `${name}_bucket`),
      ({ labels: { le: _le, ...others } }) => JSON.stringify(others),
    );
    for (const [labels, series] of buckets) {
      const count = samples.find((one) => one.name === `${name}_count` && JSON.stringify(one.labels) === labels);
      const bounds = series.map((one) =>
        one.labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(one.labels['le']),
      );
      assert.deepEqual(
        bounds,
        bounds.toSorted((a, b) => a - b),
      );
      assert.deepEqual(
        series,
        series.toSorted((a, b) => a.value - b.value),
      );
      assert.equal(series.at(-1)?.labels['le'], '+Inf');
      assert.equal(series.at(-1)?.value, count?.value);
    }
  }
}

/** The sum of all samples with this name and these labels. */
export function totalOf({ samples }: Exposition, name: string, labels: Readonly<Record<string, string>> = {}): number {
  return samples
    .filter((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
