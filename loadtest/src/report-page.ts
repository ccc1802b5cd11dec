import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import type { Report } from './report.ts';
import { html, jsonElement, rawElement, type Markup } from './report-page/markup.ts';
import { renderHealth, renderRun, renderVerdict } from './report-page/overview.ts';
import { renderErrors, renderFigures, renderChat } from './report-page/tables.ts';

/**
 * One page that shows a run: it opens from disk, loads nothing, and its content security policy allows only its own scripts.
 * The tables need no script. Text of the run is escaped. Rejects when uplot is not installed.
 */
export async function renderReportPage(report: Report): Promise<string> {
  const [style, plotStyle, license, plot, charts] = await Promise.all([
    readText(import.meta.resolve('./report-page/page.css')),
    readText(import.meta.resolve('uplot/dist/uPlot.min.css')),
    readText(import.meta.resolve('uplot/LICENSE')),
    readText(import.meta.resolve('uplot/dist/uPlot.iife.min.js')),
    readText(import.meta.resolve('./report-page/charts.mjs')),
  ]);
  const styles = `${plotStyle}\n${style}`;
  const scripts = [`/*\nuPlot\n${license}*/\n${plot}`, `{\n${charts}}\n`];
  return renderDocument(report, styles, scripts).source;
}

async function readText(url: string): Promise<string> {
  return await readFile(new URL(url), 'utf8');
}

function renderDocument(report: Report, styles: string, scripts: readonly string[]): Markup {
  const title = `Load test: ${report.run.type} against ${report.run.baseUrl}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policyFor(styles, scripts)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${rawElement('style', styles)}
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${renderVerdict(report)} ${renderChat(report)} ${renderSections(report)}
        </main>
        ${jsonElement('report', report)} ${scripts.map((script) => rawElement('script', script))}
      </body>
    </html> `;
}

function policyFor(styles: string, scripts: readonly string[]): string {
  return `default-src 'none'; style-src ${hash(styles)}; script-src ${scripts.map(hash).join(' ')}`;
}

function hash(source: string): string {
  return `'sha256-${createHash('sha256').update(source).digest('base64')}'`;
}

function renderSections(report: Report): Markup {
  return html`<h2>Over time</h2>
    <p class="note">
      One point per second. The charts share a cursor: point at one, or focus it and use the arrow keys. A name below a
      chart hides its line. Drag to zoom, double-click to reset.
    </p>
    <div class="charts">
      ${renderChart('requests', 'Requests')} ${renderChart('latency', 'Latency percentiles')}
      ${renderChart('users', 'Active users')} ${renderChart('failures', 'Failures and refusals')}
    </div>
    <h2>Latency distribution</h2>
    <p class="note">Latency counts from the time a request was due.</p>
    <div class="charts">${renderChart('tail', 'Share of slower requests')}</div>
    <h2>Figures</h2>
    ${renderFigures(report)}
    <h2>Errors by kind</h2>
    ${renderErrors(report)}
    <h2>Can the figures be trusted?</h2>
    <p class="note">
      Stalls of the machine are the wake-up delays of an idle process during the run: no server can be faster than they
      are.
    </p>
    ${renderHealth(report)}
    <h2>The run</h2>
    ${renderRun(report)}`;
}

function renderChart(name: string, title: string): Markup {
  return html`<figure class="chart" data-chart="${name}">
    <h3>${title}</h3>
    <div class="plot" tabindex="0" role="group" aria-label="${title}; the arrow keys move the cursor"></div>
    <output class="visually-hidden"></output>
    <noscript><p>The chart needs JavaScript.</p></noscript>
  </figure>`;
}
