import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Page } from 'playwright-core';

import { noBrowser, useBrowser } from './browser.ts';
import { childrenOf, isAlive, postmaster, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
const browser = useBrowser();

/** The page shows a change within 2 s on a quiet machine; tests allow for a busy one. */
const seenMs = 10_000;
const phone = { width: 360, height: 740 };

const chooseSpan = "document.querySelector('#span').dispatchEvent(new Event('change'))";

/** The browser's message about a stream whose worker was killed. */
const cutStream = 'Failed to load resource: net::ERR_INCOMPLETE_CHUNKED_ENCODING';

const headline = async (page: Page): Promise<string> => page.locator('#headline').innerText();

/** The figure with this name. */
async function figure(page: Page, name: string): Promise<number> {
  const text = await page.locator('#figures > div', { hasText: name }).locator('dd').innerText();
  return Number.parseFloat(text.replaceAll(',', ''));
}

async function untilWell(page: Page): Promise<void> {
  await waitFor('all to be well', async () => (await headline(page)) === 'All is well');
}

/** All reported problems. */
async function verdict(page: Page): Promise<string> {
  return await page.locator('#verdict').innerText();
}

/** Their process ids. */
async function workersShown(page: Page): Promise<readonly string[]> {
  return await page.locator('#workers tbody tr td:nth-child(3)').allInnerTexts();
}

async function untilListedWithout(page: Page, victim: number): Promise<void> {
  await waitFor('two others to be listed', async () => {
    const pids = await workersShown(page);
    return pids.length === 2 && !pids.includes(String(victim)) && !pids.includes('–');
  });
}

/** A browser treats another name of this machine as another site. */
function otherSite({ url }: Run): string {
  return url.replace('127.0.0.1', 'localhost');
}

async function followLink(page: Page, { url }: Run): Promise<void> {
  await page.evaluate(`location.href = '${url}/ops'`);
  await page.waitForURL(`${url}/ops`);
}

/** Resolves when the page has received three more samples. */
async function threeSamples(page: Page): Promise<void> {
  await page.evaluate(`new Promise((done) => {
    let left = 4; // The first is the newest that there was.
    const stream = new EventSource('/ops/stream');
    stream.onmessage = () => { if ((left -= 1) === 0) { stream.close(); done(); } };
  })`);
}

/** The page's text right after this, before it checks its connection again. */
async function saidAfter(page: Page, script: string): Promise<unknown> {
  return await page.evaluate(`${script}; document.querySelector('#headline').textContent`);
}

/** How many samples from before its opening a page gets. */
async function rowsOfPast(page: Page): Promise<unknown> {
  return await page.evaluate(`new Promise((done) => {
    const stream = new EventSource('/ops/stream');
    stream.addEventListener('past', ({ data }) => { stream.close(); done(JSON.parse(data).history.rows.length); });
  })`);
}

/** Names of the elements that are wider than their container, or extend beyond their card. */
const cutElements = `[...document.querySelectorAll('main *')]
  .filter((one) => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1 && !one.closest('.unseen, .uplot'))
  .concat([...document.querySelectorAll('.uplot, table')].filter((one) =>
    one.getBoundingClientRect().right > one.closest('section').getBoundingClientRect().right - 12))
  .map((one) => one.tagName + '#' + one.id + '.' + one.className)`;

/** The least part of the card's width, and of the canvas's height, that a plot fills. */
const plotParts = `[...document.querySelectorAll('.chart')].map((chart) => {
  const plot = chart.querySelector('.u-over').getBoundingClientRect();
  const canvas = chart.querySelector('canvas').getBoundingClientRect();
  return { wide: plot.width / chart.clientWidth, high: plot.height / canvas.height, canvas: canvas.width / chart.clientWidth };
})`;

interface PlotParts {
  readonly wide: number;
  readonly high: number;
  readonly canvas: number;
}

async function untilSaid(page: Page, pattern: RegExp): Promise<void> {
  await waitFor(`the page to say ${pattern}`, async () => pattern.test(await verdict(page)), seenMs);
}

/** Reads users, about 200 times a second, for at most half a minute. */
async function readUsers({ url }: Run, stop: AbortSignal): Promise<void> {
  const end = performance.now() + 30_000;
  const readOne = async (): Promise<string> => (await fetch(`${url}/api/v1/users`)).text();
  while (!stop.aborted && performance.now() < end)
    await Promise.all([sleep(100), ...Array.from({ length: 20 }, readOne)]);
}

describe('the live page', { skip: noBrowser }, () => {
  let server: Run;
  let dataDir: string;
  let page: Page;

  before(async () => {
    if (noBrowser !== false) return;
    dataDir = await servers.data();
    server = await servers.start(dataDir, { args: ['--workers', '2'], env: { SLOW_STATEMENT_MS: '1' } });
    page = await browser.open(`${server.url}/ops`);
    await untilWell(page);
  });

  test('shows databases, pools and workers, without requests to other hosts', async () => {
    assert.deepEqual(await page.locator('#servers tbody th').allInnerTexts(), ['Primary', 'Standby']);
    assert.match(await page.locator('#servers').innerText(), /streaming/u);
    assert.deepEqual(await page.locator('#pools tbody th').allInnerTexts(), ['Write', 'Read']);
    const pids = await workersShown(page);
    assert.deepEqual(new Set(pids.map(Number)), new Set(workersOf(server.pid)));
    const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name));
    assert.deepEqual(
      loaded.filter((address) => !address.startsWith(server.url)),
      [],
    );
    assert.equal(await page.locator('canvas').count(), 6);
  });

  test('shows a load spike', async () => {
    const load = new AbortController();
    const asked = readUsers(server, load.signal);
    await waitFor('the spike', async () => (await figure(page, 'Requests/s')) > 50, seenMs);
    load.abort();
    await asked;
    await waitFor('it to be over', async () => (await figure(page, 'Requests/s')) < 10);
  });

  test('names slow statements', async () => {
    const body = JSON.stringify({ first_name: 'Ada', last_name: 'Lovelace' });
    const headers = { 'content-type': 'application/json' };
    for (let n = 0; n < 5; n += 1)
      await (await fetch(`${server.url}/api/v1/users`, { method: 'POST', headers, body })).text();
    await waitFor('one', async () => /write/u.test(await page.locator('#slow').innerText()));
    assert.doesNotMatch(await page.locator('#slow').innerText(), /Ada|Lovelace/u);
  });

  test('shows a killed worker', async () => {
    const [victim] = workersOf(server.pid);
    assert(victim !== undefined);
    process.kill(victim, 'SIGKILL');
    await untilSaid(page, /worker is starting|Worker \d ended by SIGKILL/u);
    await untilListedWithout(page, victim);
  });

  test('shows a stopped standby, and its return', async () => {
    const stopped = postmaster(dataDir, 'standby') ?? 0;
    const frozen = [stopped, ...childrenOf(stopped)];
    for (const pid of frozen) process.kill(pid, 'SIGSTOP');
    try {
      await untilSaid(page, /Standby does not answer/u);
    } finally {
      for (const pid of frozen) if (isAlive(pid)) process.kill(pid, 'SIGCONT');
    }
    await waitFor('it to be back', async () => !/^Standby does not answer/mu.test(await verdict(page)));
  });

  test('can be used by keyboard: the first key skips to the figures, the arrows choose the span', async () => {
    await page.locator('body').press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the figures');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate('document.activeElement.id'), 'figures');
    await page.locator('#span').focus();
    await page.keyboard.press('ArrowUp');
    assert.equal(await page.locator('#span').inputValue(), '60');
  });

  test('p pauses the page until the next p', async () => {
    const shown = async (): Promise<string> => page.locator('main').innerText();
    const load = new AbortController();
    const asked = readUsers(server, load.signal);
    await waitFor('the load to show', async () => (await figure(page, 'Requests/s')) > 50, seenMs);
    await page.locator('#figures').press('p');
    assert.equal(await page.locator('#pause').getAttribute('aria-pressed'), 'true');
    const held = await shown();
    await threeSamples(page);
    assert.equal(await shown(), held);
    await page.selectOption('#span', '900');
    assert.equal(await shown(), held, 'another span is of the same figures');
    await page.locator('#figures').press('p');
    assert.notEqual(await shown(), held);
    load.abort();
    await asked;
  });

  test('announces a problem to screen readers once, not for each of its numbers', async () => {
    const said = page.locator('[role=status]');
    const [victim] = workersOf(server.pid);
    assert(victim !== undefined);
    process.kill(victim, 'SIGKILL');
    await untilListedWithout(page, victim);
    const number = async (): Promise<string | undefined> => /^(.+ s) ago: /u.exec(await headline(page))?.[1];
    await waitFor('nothing but news', async () => (await number()) !== undefined);
    const [aloud, seen] = [await said.textContent(), await number()];
    assert.match(aloud ?? '', /^.+ ago: Worker \d ended by SIGKILL/u);
    await waitFor('the number to change', async () => (await number()) !== seen);
    assert.equal(await said.textContent(), aloud);
  });

  test('opens from a link on another site', async () => {
    const other = await browser.open(otherSite(server));
    await followLink(other, server);
    await waitFor('its figures', async () => (await other.locator('#figures dd').count()) > 0);
    await other.close();
  });

  test('reports databases that crashed for a moment, also on a page opened afterwards', async () => {
    const crashed = ['primary', 'standby'] as const;
    for (const role of crashed) process.kill(postmaster(dataDir, role) ?? 0, 'SIGKILL');
    await waitFor('both to be back', () => crashed.every((role) => postmaster(dataDir, role) !== undefined));
    await waitFor('it to be an event', async () => /Primary was restarted/u.test(await verdict(page)));
    const late = await browser.open(`${server.url}/ops`);
    await waitFor('the verdict', async () => /Primary was restarted/u.test(await verdict(late)));
    assert.notEqual(await headline(late), 'All is well');
    // The standby may return some samples after the primary.
    for (const event of [/Primary was restarted/u, /Standby was restarted/u, /Worker \d ended by SIGKILL/u])
      await waitFor(`the event ${event}`, async () => event.test(await late.locator('#events').innerText()));
    assert.ok(Number(await rowsOfPast(late)) > 20, 'the plots begin before the page was opened');
    await late.close();
  });

  test('fits on every screen, also after a rotation, and supports dark mode', async () => {
    const small = await browser.open(`${server.url}/ops`, { viewport: phone, colorScheme: 'dark' });
    await waitFor('its figures', async () => (await small.locator('#figures dd').count()) > 0);
    assert.equal(await small.evaluate('getComputedStyle(document.body).backgroundColor'), 'rgb(16, 19, 23)');
    for (const width of [phone.width, 390, 740, 820, 1024, 1280, 320]) {
      await small.setViewportSize({ width, height: 740 });
      await waitFor(`plots as wide as their cards at ${width}`, async () => {
        const plots = await small.evaluate<readonly PlotParts[]>(plotParts);
        return plots.every(({ wide, high, canvas }) => canvas === 1 && wide > 0.7 && high > 0.75);
      });
      assert.ok(Number(await small.evaluate('document.documentElement.scrollWidth')) <= width, `page at ${width}`);
      assert.deepEqual(await small.evaluate(cutElements), [], `nothing scrolls sideways or is cut at ${width}`);
    }
    await small.close();
  });

  test('the home page shows its whole command on a phone, and copies it', async () => {
    const home = await browser.open(server.url, {
      viewport: phone,
      permissions: ['clipboard-write', 'clipboard-read'],
    });
    assert.equal(
      await home.evaluate("document.querySelector('pre').scrollWidth <= document.querySelector('pre').clientWidth"),
      true,
    );
    await home.click('#copy');
    await waitFor('the copy', async () => (await home.locator('#copy').innerText()) === 'Copied');
    const copied = String(await home.evaluate('navigator.clipboard.readText()'));
    assert.match(copied, /^curl -i http:[^]*\/api\/v1\/users[^]*"Lovelace"\}'$/u);
    await home.close();
  });

  test('reports that the server is gone, also when paused, and the server does not wait for the page', async () => {
    const errors = browser.errors.filter((error) => error !== cutStream);
    assert.deepEqual(errors, [], 'nothing was blocked, missing or wrong until now');
    await page.click('#pause');
    const began = performance.now();
    server.kill('SIGTERM');
    assert.equal(await server.ended(), 0);
    assert.ok(performance.now() - began < 20_000, 'no page holds the end up until its limit');
    await waitFor('the page to say so', async () => /does not answer/u.test(await headline(page)));
    for (const used of [
      "document.querySelector('#pause').click()",
      chooseSpan,
      "document.querySelector('#pause').click()",
    ])
      assert.match(String(await saidAfter(page, used)), /does not answer/u, used);
  });
});

test(
  'with a token the browser asks for it as a password, and refuses what is not the token',
  { skip: noBrowser },
  async () => {
    const password = 'a-token-of-some-length';
    const dataDir = await servers.data();
    const server = await servers.start(dataDir, { env: { METRICS_TOKEN: password } });
    const asked = await fetch(`${server.url}/ops`);
    assert.equal(asked.status, 401);
    assert.match(asked.headers.get('www-authenticate') ?? '', /^Basic realm=/u);
    assert.equal((await fetch(`${server.url}/ops/stream`)).status, 404);
    const page = await browser.open(`${server.url}/ops`, { httpCredentials: { username: 'anyone', password } });
    await untilWell(page);
    const wrong = { authorization: `Bearer another-${password}` };
    assert.equal((await fetch(`${server.url}/ops/stream`, { headers: wrong })).status, 404);
    await waitFor('its event', async () => {
      const events = await page.locator('#events').innerText();
      return /A wrong METRICS_TOKEN was sent from 127\.0\.0\.1/u.test(events);
    });
    await page.goto(otherSite(server));
    await followLink(page, server);
    await untilWell(page);
    for (const pid of workersOf(server.pid)) process.kill(pid, 'SIGKILL');
    await waitFor('another worker', () => workersOf(server.pid).length === 1);
    await untilWell(page);
  },
);
