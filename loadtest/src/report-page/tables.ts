import { violationKinds } from '../chat/violations.ts';
import type { Latencies, Report } from '../report.ts';
import { count, figure, share } from './figures.ts';
import { html, type Markup } from './markup.ts';

/** The figures of the guide's console block, with its names and order. */
const rows: readonly (readonly [name: string, show: (of: Latencies) => string])[] = [
  ['Request count', (of) => count(of.count)],
  ['OK', (of) => count(of.ok)],
  ['KO', (of) => count(of.failed)],
  ['Min response time, ms', (of) => figure(of.minMs)],
  ['Max response time, ms', (of) => figure(of.maxMs)],
  ['Mean response time, ms', (of) => figure(of.meanMs)],
  ['Std deviation, ms', (of) => figure(of.stdDevMs)],
  ['50th percentile, ms', (of) => figure(of.p50Ms)],
  ['75th percentile, ms', (of) => figure(of.p75Ms)],
  ['95th percentile, ms', (of) => figure(of.p95Ms)],
  ['99th percentile, ms', (of) => figure(of.p99Ms)],
  ['Mean requests/s', (of) => figure(of.requestsPerSecond)],
  ['t < 100 ms', (of) => box(of, of.distribution.under100Ms)],
  ['100 ms ≤ t < 500 ms', (of) => box(of, of.distribution.under500Ms)],
  ['t ≥ 500 ms', (of) => box(of, of.distribution.from500Ms)],
  ['Failed', (of) => box(of, of.distribution.failed)],
];

const box = (of: Latencies, part: number): string => `${count(part)} · ${share(part, of.count)}`;

/** All requests, and each type, side by side. */
export function renderFigures({ total, requests }: Report): Markup {
  const columns: readonly (readonly [string, Latencies])[] = [
    ['All requests', total],
    ...requests.filter((one) => one.count > 0).map((one) => [one.name, one] as const),
  ];
  const renderRow = ([name, show]: (typeof rows)[number]): Markup =>
    html`<tr>
      <th scope="row">${name}</th>
      ${columns.map(([, latencies]) => html`<td>${show(latencies)}</td>`)}
    </tr>`;
  return scrollable(
    'Figures per request type',
    html`<table>
      <thead>
        <tr>
          <td></td>
          ${columns.map(([name]) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(renderRow)}
      </tbody>
    </table>`,
  );
}

export function renderErrors({ errors }: Report): Markup {
  if (errors.length === 0) return html`<p>None.</p>`;
  return scrollable(
    'Errors by kind',
    html`<table>
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col" class="text">Request</th>
          <th scope="col">Count</th>
          <th scope="col" class="text">Example</th>
        </tr>
      </thead>
      <tbody>
        ${errors.map(renderError)}
      </tbody>
    </table>`,
  );
}

function renderError(error: Report['errors'][number]): Markup {
  return html`<tr>
    <th scope="row">${error.kind}</th>
    <td class="text">${error.request}</td>
    <td>${count(error.count)}</td>
    <td class="text">${error.example ?? '–'}</td>
  </tr>`;
}

/** The checks of a chat; nothing for other types. */
export function renderChat({ chat, requests }: Report): Markup {
  if (chat === undefined) return html``;
  const { violations, conversations, messages, socketEnds } = chat;
  const ends = socketEnds.map(({ code, count: times }) => `${code} (${count(times)})`).join(', ');
  return html`<h2>Checks of the chat</h2>
    <p class="note">
      ${count(messages)} messages in ${count(conversations)} conversations.
      ${ends === '' ? '' : `Sockets ended with ${ends}.`}
    </p>
    ${violations.length === 0 ? html`<p>No violation.</p>` : renderViolationRows(violations)}
    ${renderArrivals(requests.filter(({ isArrival }) => isArrival))}`;
}

function renderViolationRows(violations: NonNullable<Report['chat']>['violations']): Markup {
  const renderRow = ({ kind, count: times, sample }: (typeof violations)[number]): Markup =>
    html`<tr>
      <th scope="row">${kind}</th>
      <td>${count(times)}</td>
      <td class="text">${violationKinds[kind]}</td>
      <td class="text">${sample}</td>
    </tr>`;
  return scrollable(
    'Violations by kind',
    html`<table>
      <thead>
        <tr>
          <th scope="col">Violation</th>
          <th scope="col">Count</th>
          <th scope="col" class="text">Meaning</th>
          <th scope="col" class="text">Example</th>
        </tr>
      </thead>
      <tbody>
        ${violations.map(renderRow)}
      </tbody>
    </table>`,
  );
}

/** From the time at which a message was due to its arrival at each other member. */
function renderArrivals(arrivals: Report['requests']): Markup {
  const renderRow = (one: (typeof arrivals)[number]): Markup =>
    html`<tr>
      <th scope="row">${one.name}</th>
      <td>${count(one.count)}</td>
      ${[one.p50Ms, one.p95Ms, one.p99Ms, one.maxMs].map((ms) => html`<td>${figure(ms)}</td>`)}
    </tr>`;
  return scrollable(
    'Arrivals at other members',
    html`<table>
      <thead>
        <tr>
          <th scope="col">Arrivals at other members, ms</th>
          ${['Count', 'p50', 'p95', 'p99', 'Max'].map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${arrivals.map(renderRow)}
      </tbody>
    </table>`,
  );
}

/** A wide table scrolls on its own, also with the arrow keys. */
function scrollable(label: string, table: Markup): Markup {
  return html`<div class="scrollable" role="region" aria-label="${label}" tabindex="0">${table}</div>`;
}
