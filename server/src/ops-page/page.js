/** `/ops` in the browser: subscribes to the stream of samples and shows them. */
import { createCharts } from './charts.js';
import { formatBytes, formatCount, formatDuration, formatPercent, titleOf, withoutNumbers } from './format.js';
import { follow, nothingYet } from './series.js';

/** @import { LiveSample } from '../telemetry/live-sample.ts' */
/** @import { Figures } from '../telemetry/figures.ts' */
/** @import { Live, Verdict } from '../telemetry/live.ts' */

/** Without a sample for this long, the figures are stale. */
const staleMs = 3_000;

/** @param {string} id */
function find(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

const charts = createCharts(find);
/** Received and displayed samples; they differ only while the display is paused. */
let heard = nothingYet;
let shown = nothingYet;
let heardAtMs = performance.now();
let isPaused = false;

/** @param {typeof nothingYet} before @param {Live} live */
function take(before, live) {
  heard = follow(before, live);
  heardAtMs = performance.now();
  if (isPaused) showState();
  else show();
}

function show() {
  if (!isPaused) shown = heard;
  const { newest, rows } = shown;
  showState();
  if (newest === undefined) return;
  const { sample, figures, history } = newest;
  const upSeconds = (sample.atMs - sample.startedAtMs) / 1_000;
  setText(find('about'), `${sample.version}, up for ${formatDuration(upSeconds)}`);
  if (figures !== undefined) showFigures(figures, sample);
  const span = find('span');
  for (const chart of charts)
    chart.show(history.columns, rows, span instanceof HTMLSelectElement ? Number(span.value) : 300);
  showEvents();
  showServers(sample);
  showPools(sample);
  showWorkers(sample);
  showSlowStatements(sample);
}

/** The browser reconnects by itself. Until then the figures are stale, and the state of the server is unknown. */
function showState() {
  const isStale = performance.now() - heardAtMs >= staleMs;
  document.body.classList.toggle('stale', isStale);
  if (isStale) showVerdict(noAnswer);
  else if (shown.newest !== undefined) showVerdict(shown.newest.verdict);
}

/** @type {Verdict} */
const noAnswer = { level: 'bad', findings: [{ level: 'bad', text: 'The server does not answer. Trying again …' }] };

/** @param {Verdict} verdict */
function showVerdict({ level, findings }) {
  const [worst, ...others] = findings;
  find('verdict').dataset['level'] = level;
  setText(find('headline'), worst?.text ?? 'All is well');
  const list = others.map(({ text }) => element('li', text));
  if (list.map((item) => item.textContent).join('\n') !== find('findings').innerText)
    find('findings').replaceChildren(...list);
  announce([worst?.text ?? 'All is well', ...others.map(({ text }) => text)].join('. '));
}

/** Announces a text to screen readers, only if more than a number has changed. @param {string} text */
function announce(text) {
  const place = find('announced');
  if (withoutNumbers(place.textContent) !== withoutNumbers(text)) place.textContent = text;
}

/** @param {Element} place @param {string} text */
function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** @param {Figures} figures @param {LiveSample} sample */
function showFigures(figures, { machine, servers, clients, feed }) {
  const disks = servers.flatMap(({ diskFreeBytes }) => diskFreeBytes ?? []);
  const files = machine.openFiles.toSorted((a, b) => b.open - a.open)[0];
  const texts = {
    'Requests/s': formatCount(figures.perSecond),
    Errors: formatPercent(figures.errorPart),
    p50: orDash(figures.p50, formatDuration),
    p95: orDash(figures.p95, formatDuration),
    p99: orDash(figures.p99, formatDuration),
    'In flight': formatCount(figures.inFlight),
    'Refused/s': formatCount(figures.refusedPerSecond),
    'Read from standbys': orDash(figures.byStandby, formatPercent),
    'Client connections': formatCount(clients.open),
    'Delay of the feed': feed === undefined ? '–' : feed.isLive ? formatDuration(feed.lagSeconds) : 'not live',
    'CPU of the machine': orDash(figures.machineCpu, formatPercent),
    'Memory available': machine.totalMemoryBytes === 0 ? '–' : formatBytes(machine.availableMemoryBytes),
    'Memory of Messenger': orDash(figures.memoryBytes, formatBytes),
    'Disk free': disks.length === 0 ? '–' : formatBytes(Math.min(...disks)),
    'Open files': files === undefined ? '–' : formatCount(files.open),
  };
  const pairs = Object.entries(texts).map(([name, value]) => element('div', element('dt', name), element('dd', value)));
  find('figures').replaceChildren(...pairs);
}

/** How many are listed initially. */
const fewEvents = 12;
let areAllEventsShown = false;

function showEvents() {
  const { events } = shown;
  const listed = areAllEventsShown ? events : events.slice(0, fewEvents);
  const rows = listed.map(({ atMs, endedMs, level, text, kind }) => [
    timeOf(atMs),
    endedMs === undefined
      ? element('span', 'goes on', level)
      : endedMs === atMs
        ? '–'
        : formatDuration((endedMs - atMs) / 1_000),
    kind,
    element('span', text, level === 'info' ? 'quiet' : level),
  ]);
  fill('events', ['Began', 'Lasted', 'About', 'What'], rows, 'None so far');
  const more = find('more-events');
  more.hidden = events.length <= fewEvents;
  setText(more, areAllEventsShown ? 'Show fewer' : `Show all ${events.length}`);
}

/** With the date, unless it is today. @param {number} atMs since 1970 */
function timeOf(atMs) {
  const date = new Date(atMs);
  const time = date.toLocaleTimeString([], { hour12: false });
  return date.toDateString() === new Date().toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

/** @param {LiveSample} sample */
function showServers({ atMs, servers }) {
  const columns = [
    'Server',
    'State',
    'Role',
    'Timeline',
    'Up for',
    'Sessions',
    'Active',
    'Lock waits',
    'Cache hits',
    'Oldest transaction',
    'Behind',
    'Dead rows',
  ];
  const rows = servers.map((server) => [
    titleOf(server.name),
    server.up ? element('span', server.receiver ?? 'up', 'ok') : element('span', 'away', 'bad'),
    server.role === undefined ? '–' : server.role.replace('_', '-'),
    orDash(server.timeline, String),
    orDash(server.startedSeconds, (startedSeconds) => formatDuration(Math.max(0, atMs / 1_000 - startedSeconds))),
    orDash(server.connections, (count) => `${count} of ${server.maxConnections ?? '?'}`),
    orDash(server.active, formatCount),
    orDash(server.lockWaits, formatCount),
    orDash(server.cacheHitRatio, formatPercent),
    orDash(server.oldestTransactionSeconds, formatDuration),
    server.lagSeconds === undefined
      ? '–'
      : `${formatDuration(server.lagSeconds)}, ${formatBytes(server.lagBytes ?? 0)}`,
    orDash(server.deadRows, formatCount),
  ]);
  fill('servers', columns, rows, 'The databases have not been queried yet');
}

/** @param {LiveSample} sample */
function showPools({ pools }) {
  const rows = pools.map(({ name, open, idle, waiting, waits, waitSeconds }) => [
    titleOf(name),
    formatCount(open),
    formatCount(open - idle),
    formatCount(idle),
    element('span', formatCount(waiting), waiting > 0 ? 'warn' : ''),
    formatCount(waits),
    waits === 0 ? '–' : formatDuration(waitSeconds / waits),
  ]);
  fill('pools', ['Pool', 'Open', 'In use', 'Idle', 'Waiting now', 'Waits so far', 'Mean wait'], rows, 'No pools');
}

/** @param {LiveSample} sample */
function showWorkers({ workers }) {
  const rows = workers.each.map(({ worker, pid, inFlight, memoryBytes, eventLoopDelaySeconds }) => [
    `Worker ${worker}`,
    memoryBytes === undefined ? element('span', 'silent', 'bad') : element('span', 'serving', 'ok'),
    String(pid),
    orDash(inFlight, formatCount),
    orDash(memoryBytes, formatBytes),
    orDash(eventLoopDelaySeconds, formatDuration),
  ]);
  for (let n = 0; n < workers.missing; n += 1)
    rows.push([element('span', 'Starting', 'warn'), '–', '–', '–', '–', '–']);
  fill('workers', ['Worker', 'State', 'Process', 'In flight', 'Memory', 'Longest stall'], rows, 'No worker serves');
}

/** @param {LiveSample} sample */
function showSlowStatements({ slowStatements }) {
  const rows = slowStatements.map(({ atMs, statement, pool, durationMs, batchSize, failed }) => [
    timeOf(atMs),
    statement,
    pool,
    formatDuration(durationMs / 1_000),
    formatCount(batchSize),
    failed ? element('span', 'failed', 'bad') : 'done',
  ]);
  fill('slow', ['Ended', 'Statement', 'Pool', 'Took', 'Calls', 'Result'], rows, 'None so far');
}

/** @template T @param {T | undefined} value @param {(value: T) => string} format */
function orDash(value, format) {
  return value === undefined ? '–' : format(value);
}

/**
 * @param {string} id
 * @param {readonly string[]} columns
 * @param {readonly (readonly (string | Node)[])[]} rows
 * @param {string} none
 */
function fill(id, columns, rows, none) {
  const heads = columns.map((name) => scoped(element('th', name), 'col'));
  const lines = rows.map(([first = '', ...cells]) =>
    element('tr', scoped(element('th', first), 'row'), ...cells.map((cell, n) => labelled(cell, columns[n + 1] ?? ''))),
  );
  const empty = element('td', none);
  empty.className = 'empty';
  empty.setAttribute('colspan', String(columns.length));
  const body = lines.length > 0 ? lines : [element('tr', empty)];
  const table = find(id);
  table.replaceChildren(element('thead', element('tr', ...heads)), element('tbody', ...body));
  fit(table);
}

/** Stacks the cells of each row when the table is wider than the heading above it. @param {Element} table */
function fit(table) {
  table.classList.remove('stacked');
  const room = table.previousElementSibling?.getBoundingClientRect().width ?? 0;
  table.classList.toggle('stacked', table.getBoundingClientRect().width > room + 1);
}

/** A stacked table shows the name of the column beside each value. @param {string | Node} value @param {string} column */
function labelled(value, column) {
  const cell = element('td', value);
  cell.dataset['label'] = column;
  return cell;
}

/** @param {HTMLElement} cell @param {'row' | 'col'} scope */
function scoped(cell, scope) {
  cell.setAttribute('scope', scope);
  return cell;
}

/** @param {string} name @param {...(string | Node)} parts With one text and a class, the class last. */
function element(name, ...parts) {
  const made = document.createElement(name);
  const [text, className] = parts;
  if (name === 'span' && typeof className === 'string') {
    made.className = className;
    made.append(text ?? '');
  } else made.append(...parts);
  return made;
}

function pause() {
  isPaused = !isPaused;
  const button = find('pause');
  button.setAttribute('aria-pressed', String(isPaused));
  setText(button, isPaused ? 'Go on' : 'Pause');
  show();
}

function listen() {
  const stream = new EventSource('/ops/stream');
  stream.addEventListener('past', (/** @type {MessageEvent<string>} */ event) => take(nothingYet, parse(event)));
  stream.addEventListener('message', (/** @type {MessageEvent<string>} */ event) => take(heard, parse(event)));
  // Refused: the browser does not reconnect by itself.
  stream.addEventListener('error', () => {
    if (stream.readyState === EventSource.CLOSED) void comeBack();
  });
}

/** @param {MessageEvent<string>} event @returns {Live} */
function parse({ data }) {
  // oxlint-disable-next-line typescript/no-unsafe-return -- Sent by our server as Live.
  return JSON.parse(data);
}

/** After a refusal the browser may have to ask for the token again, which it does only for a page. */
async function comeBack() {
  const page = await fetch('/ops', { method: 'HEAD' }).catch(() => undefined);
  if (page?.status === 401) location.reload();
  else setTimeout(listen, 2_000);
}

find('pause').addEventListener('click', pause);
find('span').addEventListener('change', show);
addEventListener('resize', () => {
  for (const table of document.querySelectorAll('table[id]')) fit(table);
});
find('more-events').addEventListener('click', () => {
  areAllEventsShown = !areAllEventsShown;
  show();
});
document.addEventListener('keydown', ({ key, target, ctrlKey, metaKey, altKey }) => {
  if (key === 'p' && !ctrlKey && !metaKey && !altKey && !(target instanceof HTMLSelectElement)) pause();
});
setInterval(showState, 500);
listen();
