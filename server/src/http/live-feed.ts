import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { nothingSeen, type AskLive, type Live } from '../telemetry/live.ts';

export interface LiveFeedOptions {
  readonly live: AskLive;
  /** Then all pages are told to come again, and find another worker or the next server. */
  readonly isDraining: () => boolean;
}

/** After a question that was not answered, or without a new sample. */
const retryMs = 750;
/** A page that takes nothing for so many samples is gone, or as good as gone. */
const mostSkipped = 20;

/**
 * Sends what `/ops` shows to the pages that are open, as server-sent events: to a new page the whole past, then each sample as it
 * comes. A page that does not read misses samples, and gets the whole past again when it reads on: nothing is kept for it.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  /** With the number of samples that each has missed in a row. */
  readonly #pages = new Map<ServerResponse, number>();
  #isRunning = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** Answers with the past, and with the samples from now on. */
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
      // The first answer is the past, which each page has asked for itself.
      else if (seen !== nothingSeen) this.#sendAll(render(live));
      seen = live?.seen ?? nothingSeen;
      if (this.#options.isDraining()) this.#endAll();
    }
    this.#isRunning = false;
  }

  /** A page that has gone is noticed by what is written to it. */
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
        this.#pages.set(page, 1); // It gets the whole past next.
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
