import { formatCount, formatDuration, formatPercent } from './format.js';
import uPlot from './uplot.js';

/** @import { Figures } from '../telemetry/figures.ts' */
/** @import { HistoryRow } from '../telemetry/history.ts' */

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {keyof Figures} column
 */

/**
 * @typedef {object} ChartOptions
 * @property {HTMLElement} place
 * @property {string} title For screen readers.
 * @property {readonly Line[]} lines
 * @property {(value: number) => string} format
 */

const height = 190;

/** A line chart over time. */
class Chart {
  /** @readonly */
  #options;
  #plot;

  /** @param {ChartOptions} options */
  constructor(options) {
    this.#options = options;
    this.#plot = this.#draw([[]]);
    new ResizeObserver(() => this.#plot.setSize({ width: this.#width(), height })).observe(options.place);
    // Colours are drawn on the canvas, and do not follow the style sheet.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      const { data } = this.#plot;
      this.#plot.destroy();
      this.#plot = this.#draw(data);
    });
    options.place.setAttribute('role', 'img');
  }

  /** @param {readonly (keyof Figures)[]} columns @param {readonly HistoryRow[]} rows @param {number} spanSeconds */
  show(columns, rows, spanSeconds) {
    const { lines, place, title, format } = this.#options;
    const end = (rows.at(-1)?.[0] ?? Date.now()) / 1_000;
    const shown = rows.filter(([atMs]) => (atMs ?? 0) / 1_000 >= end - spanSeconds);
    const values = lines.map(({ column }) => shown.map((row) => row[columns.indexOf(column)] ?? null));
    this.#plot.setData([shown.map(([atMs]) => (atMs ?? 0) / 1_000), ...values], false);
    this.#plot.setScale('x', { min: end - spanSeconds, max: end });
    if (typeof this.#plot.cursor.idx !== 'number') this.#plot.setLegend({ idx: shown.length - 1 });
    const newest = lines.map(({ label }, n) => `${label} ${formatOr(format, values[n]?.at(-1))}`);
    place.setAttribute('aria-label', `${title}: ${newest.join(', ')}`);
  }

  /** @param {uPlot.AlignedData} data */
  #draw(data) {
    const { place, lines, format } = this.#options;
    const color = (/** @type {string} */ name) => resolveColor(place, name);
    const axis = { stroke: color('--quiet'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false } };
    return new uPlot(
      {
        width: this.#width(),
        height,
        padding: [8, 8, 0, 0],
        cursor: { y: false },
        scales: { y: { range: (_plot, _min, max) => [0, (Number.isFinite(max) && max > 0 ? max : 1) * 1.1] } },
        axes: [
          { ...axis, space: 70, size: 24, gap: 4, values: timeLabels },
          { ...axis, size: widthOf, gap: 6, values: (_plot, values) => values.map(format) },
        ],
        series: [
          { label: 'Time', value: (_plot, time) => formatOr(clockTime, time) },
          ...lines.map(({ label }, n) => ({
            label,
            stroke: color(`--series-${n + 1}`),
            width: 1.5,
            points: { show: false },
            value: (/** @type {unknown} */ _plot, /** @type {number | null} */ value) => formatOr(format, value),
          })),
        ],
      },
      data.length === lines.length + 1 ? data : [[], ...lines.map(() => [])],
      place,
    );
  }

  #width() {
    return Math.max(200, this.#options.place.clientWidth);
  }
}

/** Of uPlot's 12 px font: the mean of a number with its unit. */
const labelCharacterPx = 7;

/** Without labels that the right edge would cut. @param {uPlot} plot @param {readonly number[]} times */
function timeLabels(plot, times) {
  const end = plot.over.clientWidth - 20;
  return times.map((time) => (end > 0 && plot.valToPos(time, 'x') > end ? '' : clockTime(time)));
}

/** The width of an axis: as much as its labels need. @param {uPlot} _plot @param {readonly string[] | null} labels */
function widthOf(_plot, labels) {
  return 10 + labelCharacterPx * Math.max(3, ...(labels ?? []).map(({ length }) => length));
}

/** A canvas does not support `light-dark()`. @param {HTMLElement} place @param {string} name */
function resolveColor(place, name) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** @param {number} seconds since 1970 */
function clockTime(seconds) {
  return new Date(seconds * 1_000).toLocaleTimeString([], { hour12: false });
}

/** @param {(value: number) => string} format @param {number | null | undefined} value */
function formatOr(format, value) {
  return value === null || value === undefined ? '–' : format(value);
}

/** By the id of the chart's element. @type {Readonly<Record<string, Omit<ChartOptions, 'place'>>>} */
const charts = {
  'chart-requests': {
    title: 'Requests a second',
    lines: [
      { label: '2xx', column: 'succeededPerSecond' },
      { label: '4xx', column: 'rejectedPerSecond' },
      { label: '5xx', column: 'failedPerSecond' },
    ],
    format: formatCount,
  },
  'chart-durations': {
    title: 'Response time',
    lines: [
      { label: 'p50', column: 'p50' },
      { label: 'p95', column: 'p95' },
      { label: 'p99', column: 'p99' },
    ],
    format: formatDuration,
  },
  'chart-load': {
    title: 'In flight and waiting',
    lines: [
      { label: 'in flight', column: 'inFlight' },
      { label: 'waiting', column: 'waiting' },
    ],
    format: formatCount,
  },
  'chart-lag': {
    title: 'Standbys behind the primary',
    lines: [{ label: 'worst', column: 'lagSeconds' }],
    format: formatDuration,
  },
  'chart-cpu': {
    title: 'CPU in use',
    lines: [
      { label: 'machine', column: 'machineCpu' },
      { label: 'Messenger without databases', column: 'ownCpu' },
    ],
    format: formatPercent,
  },
  'chart-resources': {
    title: 'Memory, disk and files in use',
    lines: [
      { label: 'memory', column: 'machineMemory' },
      { label: 'disk', column: 'disk' },
      { label: 'open files', column: 'openFiles' },
    ],
    format: formatPercent,
  },
};

/** @param {(id: string) => HTMLElement} find @returns {readonly Chart[]} */
export function createCharts(find) {
  return Object.entries(charts).map(([id, options]) => new Chart({ place: find(id), ...options }));
}
