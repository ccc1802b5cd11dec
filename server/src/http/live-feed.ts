import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { nothingSeen, type AskLive, type Live } from '../telemetry/live.ts';

export interface LiveFeedOptions {
  readonly live: AskLive;
  /** When it aborts, all pages reconnect, to another worker or the next server. */
  readonly isDraining: () => boolean;
}

/** Delay after a failed query, or one without a new sample. */
const retryMs = 750;
/** A page that reads nothing for this many samples is disconnected. */
const mostSkipped = 20;

/**
 * Sends samples to the open `/ops` pages as server-sent events: the whole history first, then each new sample. A page that does not read
 * misses samples, and gets the whole history when it reads again; nothing is buffered for it.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  /** Pages, with the number of successive samples that each has missed. */
  readonly #pages = new Map<ServerResponse, number>();
  #isRunning = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** Answers with the history and all further samples. */
  add(response: ServerResponse): void {
    this.#pages.set(response, 0);
    response.on('close', () => this.#pages.delete(response));
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      connection: 'close',
      'x-accel-buffering': 'no',
    });
    response.write('retry: 250\n\n');
    void this.#sendPast(response);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    let seen = nothingSeen;
    while (this.#pages.size > 0) {
      const live = await this.#ask(seen);
      if (live === undefined) await sleep(retryMs);
      else if (live.seen.rows === seen.rows) await this.#pause();
      // The first result is the history, which each page requests itself.
      else if (seen !== nothingSeen) this.#sendAll(render(live));
      seen = live?.seen ?? nothingSeen;
      if (this.#options.isDraining()) this.#endAll();
    }
    this.#isRunning = false;
  }

  /** A write detects a disconnected page. */
  async #pause(): Promise<void> {
    this.#sendAll(': no new sample\n\n');
    await sleep(retryMs);
  }

  #endAll(): void {
    for (const page of this.#pages.keys()) page.end();
    this.#pages.clear();
  }

  /** Undefined while the supervisor does not answer. */
  async #ask(seen: typeof nothingSeen): Promise<Live | undefined> {
    try {
      return await this.#options.live(seen);
    } catch {
      for (const page of this.#pages.keys()) {
        this.#pages.set(page, 1); // It gets the whole history next.
        if (isOpen(page) && !page.writableNeedDrain) page.write(': the supervisor does not answer\n\n');
      }
      return undefined;
    }
  }

  async #sendPast(page: ServerResponse): Promise<void> {
    const live = await this.#ask(nothingSeen);
    if (live !== undefined && isOpen(page)) page.write(`event: past\n${render(live)}`);
  }

  #sendAll(text: string): void {
    for (const [page, skipped] of this.#pages) this.#send(page, text, skipped);
  }

  #send(page: ServerResponse, text: string, skipped: number): void {
    if (!isOpen(page)) return;
    if (page.writableNeedDrain) {
      if (skipped < mostSkipped) this.#pages.set(page, skipped + 1);
      else page.destroy();
      return;
    }
    this.#pages.set(page, 0);
    if (skipped > 0) void this.#sendPast(page);
    else page.write(text);
  }
}

function isOpen(page: ServerResponse): boolean {
  return !page.writableEnded && !page.destroyed;
}

function render(live: Live): string {
  return `data: ${JSON.stringify(live)}\n\n`;
}
