import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { pino } from 'pino';

import type { Endpoints } from '../src/db/endpoint.ts';
import type { Position } from '../src/db/position.ts';
import { roles } from '../src/embedded/settings.ts';
import { feedTables } from '../src/feed-tables.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import type { FeedCommit, FeedListener } from '../src/feed/feed.ts';
import { SocketFeedLink } from '../src/feed/feed-link.ts';
import { runFeed, type Feed } from '../src/feed/run-feed.ts';

/** A worker of a test: records what it is told. */
export class TestWorker implements FeedListener {
  readonly link: SocketFeedLink;
  readonly commits: FeedCommit[] = [];
  readonly messages: string[] = [];
  readonly gaps: Position[] = [];
  /** Called with each commit. */
  handle: ((commit: FeedCommit) => void) | undefined;

  constructor(path: string) {
    this.link = new SocketFeedLink(path, this, Math.random);
  }

  onCommit(commit: FeedCommit): void {
    this.commits.push(commit);
    this.handle?.(commit);
  }

  onMessage(_prefix: string, content: string): void {
    this.messages.push(content);
  }

  onGap(since: Position): void {
    this.gaps.push(since);
  }
}

/** A feed of a test, and its workers. */
export interface TestFeed {
  readonly path: string;
  readonly feed: Feed;
  /** The log of the feed. */
  readonly lines: readonly string[];
  /** A worker that is connected. */
  worker(): TestWorker;
  close(): Promise<void>;
}

export async function startTestFeed(servers: Pick<Endpoints, 'write' | 'otherWrites'>): Promise<TestFeed> {
  const folder = await mkdtemp(join(tmpdir(), 'messenger-feed-test-'));
  const path = join(folder, 'feed.sock');
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const asReplicator = { user: roles.superuser };
  const settings = {
    servers: {
      write: { ...servers.write, ...asReplicator },
      otherWrites: (servers.otherWrites ?? []).map((one) => ({ ...one, ...asReplicator })),
    },
    tables: feedTables,
    path,
    connectTimeoutMs: 2_000,
    isAlone: false,
  };
  const feed = await runFeed(settings, { log, clock: monotonicClock, random: Math.random });
  const workers: TestWorker[] = [];
  return {
    path,
    feed,
    lines,
    worker: () => {
      const worker = new TestWorker(path);
      workers.push(worker);
      return worker;
    },
    close: async () => {
      await Promise.all(workers.map(async ({ link }) => link.close()));
      await feed.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
