import { before } from 'node:test';

import type { App } from '../src/app.ts';
import { createTestApp, type TestAppOptions } from './app.ts';
import type { DatabaseFixture } from './database.ts';
import { startTestFeed, type TestFeed } from './feed.ts';
import { waitFor } from './wait-for.ts';

export interface RealtimeWorker extends App {
  readonly port: number;
}

/** Workers with sockets, on one feed, in this process. What one revokes, the others forget. */
export function useRealtime(
  database: DatabaseFixture,
  { workers: count = 2, ...options }: TestAppOptions & { readonly workers?: number } = {},
): () => { readonly workers: readonly RealtimeWorker[]; readonly feed: TestFeed } {
  const workers: RealtimeWorker[] = [];
  let feed: TestFeed | undefined;
  before(async () => {
    const { direct, endpoints } = await database.created;
    feed = await startTestFeed({ write: direct.write });
    const log = feed;
    await waitFor('the feed', () => log.feed.measure()['messenger_feed_live']?.[0]?.values[0] === 1);
    for (let number = 1; number <= count; number += 1) {
      const forgetElsewhere = async (key: string): Promise<void> => {
        for (const other of workers) if (other !== mine) other.forget(key);
      };
      const app = await createTestApp(endpoints, { ...options, feedPath: feed.path, forgetElsewhere, worker: number });
      const port = Number(new URL(await app.http.listen({ host: '127.0.0.1', port: 0 })).port);
      const mine = { ...app, port };
      workers.push(mine);
    }
  });
  database.beforeDrop(async () => {
    for (const worker of workers) {
      worker.sockets?.drain();
      worker.http.server.closeAllConnections();
      await worker.http.close();
      await worker.close();
    }
    await feed?.close();
  });
  return () => {
    if (feed === undefined) throw new Error('the workers are there only while tests run');
    return { workers, feed };
  };
}
