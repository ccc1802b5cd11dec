import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Collect } from '../telemetry/collection.ts';
import { sampleOf } from '../telemetry/live-sample.ts';

export interface LiveFeedOptions {
  readonly collect: Collect;
  /** Then all pages are told to come again, and find another worker or the next server. */
  readonly isDraining: () => boolean;
}

/** With the second that a collection may take, what happens shows within two. */
const everyMs = 750;
/** All pages of all workers share a collection. */
const maxAgeMs = 500;
/** A page that takes nothing for so many samples is gone, or as good as gone. */
const mostSkipped = 20;

/**
 * Sends the pages that are open the same samples, as server-sent events; collects nothing while there are none. A page that
 * does not read misses samples: nothing is kept for it.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  /** With the number of samples that each has missed in a row. */
  readonly #pages = new Map<ServerResponse, number>();
  #newest = '';
  #isRunning = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** Answers with the samples from now on. */
  add(response: ServerResponse): void {
    this.#pages.set(response, 0);
    response.on('close', () => this.#pages.delete(response));
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      connection: 'close',
      'x-accel-buffering': 'no',
    });
    response.write(`retry: 1000\n\n${this.#newest}`);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#pages.size > 0) {
      const next = sleep(everyMs);
      const text = await this.#collect();
      for (const [page, skipped] of this.#pages) this.#send(page, text, skipped);
      if (this.#options.isDraining()) for (const page of this.#pages.keys()) page.end();
      await next;
    }
    this.#newest = '';
    this.#isRunning = false;
  }

  /** A comment when there is nothing to tell, because the supervisor does not answer. */
  async #collect(): Promise<string> {
    try {
      this.#newest = `data: ${JSON.stringify(sampleOf(await this.#options.collect(maxAgeMs)))}\n\n`;
      return this.#newest;
    } catch {
      return ': the supervisor does not answer\n\n';
    }
  }

  #send(page: ServerResponse, text: string, skipped: number): void {
    if (page.writableEnded || page.destroyed) return;
    if (!page.writableNeedDrain) {
      this.#pages.set(page, 0);
      page.write(text);
    } else if (skipped < mostSkipped) this.#pages.set(page, skipped + 1);
    else page.destroy();
  }
}
