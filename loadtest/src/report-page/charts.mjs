/** Draws the charts of the page, in the browser. `uPlot` is global there; the report is in the element `report`. */
const { timeline, histogram } = JSON.parse(document.getElementById('report').textContent);

const shared = 'run';
const height = 220;
const seconds = timeline.map((one) => one.second);
const column = (name) => timeline.map((one) => one[name]);

/** A second without requests is a gap. Latencies below 0.01 ms are drawn at 0.01 ms. */
const latency = (name) => timeline.map((one) => (one.requests > 0 ? Math.max(one[name], 0.01) : null));

/** For every latency, the percentage of requests that took longer. The last bucket has none above it. */
function findTail() {
  const total = histogram.reduce((sum, { count }) => sum + count, 0);
  const filled = histogram.filter(({ count }) => count > 0);
  let above = total;
  const shares = filled.map(({ count }) => (100 * (above -= count)) / total);
  return [filled.map(({ upToMs }) => Math.max(upToMs, 0.01)), shares.map((share) => (share > 0 ? share : null))];
}

const number = (value, digits = 3) =>
  value === null || value === undefined ? '–' : value.toLocaleString('en', { maximumSignificantDigits: digits });

/** uPlot passes null for ticks of a logarithmic axis that have no label. */
const tickValues = (_plot, ticks) => ticks.map((tick) => (tick === null ? '' : number(tick)));

const second = { label: 'Second of the run', x: true };

const charts = {
  requests: { data: [seconds, column('requests')], series: ['Requests/s'], x: second, y: 'Requests per second' },
  latency: {
    data: [seconds, ...['p50Ms', 'p95Ms', 'p99Ms', 'maxMs'].map(latency)],
    series: ['p50', 'p95', 'p99', 'Max'],
    x: second,
    y: 'Latency, ms (logarithmic)',
    isLog: true,
  },
  users: { data: [seconds, column('activeUsers')], series: ['Active users'], x: second, y: 'Users', isArea: true },
  failures: {
    data: [seconds, column('failed'), column('refused')],
    series: ['Failed', 'of them refused (503)'],
    x: second,
    y: 'Requests per second',
    colours: ['--bad', '--unsure'],
  },
  tail: {
    data: findTail(),
    series: ['Slower, %'],
    x: { label: 'Latency, ms (logarithmic)', isLog: true },
    y: 'Slower, % (logarithmic)',
    isLog: true,
  },
};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axis(label, size) {
  const grid = { stroke: colour('--line'), width: 1 };
  const font = '12px system-ui, sans-serif';
  return { label, size, grid, ticks: grid, stroke: colour('--quiet'), font, labelFont: font, labelSize: 18 };
}

function describeSeries({ series, colours, isArea }) {
  return series.map((label, index) => {
    const stroke = colour(colours?.[index] ?? `--series-${index + 1}`);
    const fill = isArea === true ? `${stroke}33` : undefined;
    return { label, stroke, fill, width: 1.5, points: { size: 5 }, value: (_plot, value) => number(value) };
  });
}

/** Starts at zero, so that heights are comparable; a chart with only zeros still has an axis. */
const fromZero = (_plot, _min, max) => [0, Math.max(1, max * 1.05)];
const powers = (_plot, min, max) => uPlot.rangeLog(min ?? 1, max ?? 10, 10, true);
const logScale = { distr: 3, range: powers };

function describeChart(chart, width) {
  return {
    width,
    height,
    cursor: { sync: chart.x === second ? { key: shared } : undefined, points: { size: 6 } },
    scales: {
      x: chart.x.isLog === true ? { time: false, ...logScale } : { time: false },
      y: chart.isLog === true ? logScale : { range: fromZero },
    },
    axes: [
      { ...axis(chart.x.label, 36), ...(chart.x.isLog === true ? { values: tickValues } : {}) },
      { ...axis(chart.y, 64), values: tickValues },
    ],
    series: [
      { label: chart.x === second ? 'Second' : 'Latency, ms', value: (_plot, value) => number(value, 6) },
      ...describeSeries(chart),
    ],
  };
}

/** Legend entries toggle their line; uPlot itself supports only the mouse. */
function openLegendToKeys(plot) {
  for (const [index, row] of [...plot.root.querySelectorAll('.u-series')].entries()) {
    if (index === 0) continue;
    const label = row.querySelector('th');
    const tell = () => label.setAttribute('aria-pressed', String(plot.series[index].show));
    Object.assign(label, { tabIndex: 0, role: 'button' });
    tell();
    label.addEventListener('click', tell);
    label.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' && event.key !== ' ') return;
      event.preventDefault();
      event.stopPropagation();
      label.click();
    });
  }
}

const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };

/** The arrow keys move the cursor of all linked charts; a screen reader reads its values. */
function moveCursor(plot, event, output) {
  const step = steps[event.key];
  const last = plot.data[0].length - 1;
  if (step === undefined || last < 0) return;
  event.preventDefault();
  const from = plot.cursor.idx ?? (step > 0 ? -1 : last + 1);
  const index = Math.min(last, Math.max(0, from + step));
  const left = plot.valToPos(plot.data[0][index], 'x');
  plot.setCursor({ left, top: plot.over.clientHeight / 2 }, true, true);
  output.textContent = plot.series.map((series, at) => `${series.label}: ${number(plot.data[at][index])}`).join(', ');
}

function draw(figure, chart) {
  const place = figure.querySelector('.plot');
  const plot = new uPlot(describeChart(chart, place.clientWidth), chart.data, place);
  openLegendToKeys(plot);
  return plot;
}

const figures = [...document.querySelectorAll('[data-chart]')];
const drawAll = () => figures.map((figure) => draw(figure, charts[figure.dataset.chart]));
let plots = drawAll();

const onKey = (event) => {
  const figure = event.currentTarget.parentElement;
  moveCursor(plots[figures.indexOf(figure)], event, figure.querySelector('output'));
};
for (const figure of figures) figure.querySelector('.plot').addEventListener('keydown', onKey);

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const plot of plots) plot.destroy();
  plots = drawAll();
});

new ResizeObserver(() => {
  for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height });
}).observe(document.body);
