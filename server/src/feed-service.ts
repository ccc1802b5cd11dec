import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import type { Config, LoadedConfig } from './config.ts';
import { openAskedServer } from './db/asked-server.ts';
import { placeOf, type Endpoint } from './db/endpoint.ts';
import { roles } from './embedded/settings.ts';
import { feedTables } from './feed-tables.ts';
import { findFeedProblems, type FeedProblem } from './feed/capability.ts';
import { runFeed, type Feed, type FeedSettings } from './feed/run-feed.ts';
import type { Clock } from './lib/clock.ts';
import { messageOf } from './lib/error-code.ts';
import { OperatorError } from './lib/operator-error.ts';
import type { PreparedDatabases } from './prepare-databases.ts';
import { feedArgument } from './process/child-messages.ts';
import { KeptChild } from './process/kept-child.ts';
import type { Service } from './process/service.ts';
import type { RecordEvent } from './telemetry/events.ts';
import type { Log } from './telemetry/log.ts';
import type { Snapshot } from './telemetry/metrics.ts';

export interface FeedServiceOptions {
  /** The present configuration and databases, read at each start. */
  readonly inUse: { readonly loaded: LoadedConfig; readonly found: PreparedDatabases };
  readonly isEmbedded: boolean;
  readonly exec: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly record: RecordEvent;
  readonly log: Log;
  /** Of a feed in this process. */
  readonly feedLog: Log;
}

const checkMs = 5_000;

/** The feed of this node: a process of its own, or with `ENABLE_PREFORK=false` a part of this one. */
export class FeedService implements Service {
  readonly name = 'feed';
  readonly #options: FeedServiceOptions;
  #path: string | undefined;
  /** To be removed at the end. */
  #folder: string | undefined;
  #child: KeptChild<FeedLaunch> | undefined;
  #here: Feed | undefined;
  #settings: FeedSettings | undefined;

  constructor(options: FeedServiceOptions) {
    this.#options = options;
  }

  /** The Unix socket for workers; undefined without realtime. */
  get path(): string | undefined {
    return this.#path;
  }

  /** Rejects with `REALTIME=on` when the primary cannot be followed; with `auto`, the server then runs without realtime. */
  async start(signal: AbortSignal): Promise<void> {
    const { loaded, found } = this.#options.inUse;
    const { config } = loaded;
    const { realtime } = config.server;
    if (realtime === 'off' || (found.isPrimaryReady && !(await this.#isCapable(realtime, found)))) return;
    this.#path = join(await this.#makeFolder(found.endpoints.write), 'feed.sock');
    if (config.server.enablePrefork) await this.#startChild(config, signal);
    else this.#here = await runFeed(this.#makeSettings(), { ...this.#options, log: this.#options.feedLog });
  }

  async stop(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#child?.stop(signal), this.#here?.stop()]);
    this.#child = undefined;
    this.#here = undefined;
    this.#path = undefined;
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  /** Applies other databases: its followers notice a gap. */
  async follow(): Promise<void> {
    if (this.#child === undefined || isDeepStrictEqual(this.#settings, this.#makeSettings())) return;
    this.#child.restart();
  }

  async measure(): Promise<Snapshot> {
    if (this.#here !== undefined) return this.#here.measure();
    if (this.#child === undefined) return {};
    const restarts = [{ labels: [], values: [this.#child.restarts] }];
    return { ...(await this.#child.measure()), messenger_feed_restarts_total: restarts };
  }

  async #startChild(config: Config, signal: AbortSignal): Promise<void> {
    const { exec, log, record } = this.#options;
    this.#child = new KeptChild<FeedLaunch>({
      ...this.#options,
      name: 'feed',
      exec,
      argument: feedArgument,
      settings: () => {
        this.#settings = this.#makeSettings();
        return { log: config.log, feed: this.#settings };
      },
      startTimeoutMs: config.server.startTimeoutMs,
      onEnded: (text) => record({ kind: 'worker', level: 'warn', text }),
    });
    await this.#child.start(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      log.error({ reason: messageOf(error) }, 'the feed does not run yet: realtime events are delayed');
    });
  }

  #makeSettings(): FeedSettings {
    const { loaded, found } = this.#options.inUse;
    const { config } = loaded;
    const { write, otherWrites } = found.endpoints;
    return {
      servers: {
        write: this.#asReplicator(write),
        otherWrites: otherWrites?.map((one) => this.#asReplicator(one)) ?? [],
      },
      systemIdentifier: found.systemIdentifier,
      tables: feedTables,
      path: this.#path ?? '',
      connectTimeoutMs: config.db.connectTimeoutMs,
      isAlone: config.server.enablePrefork,
    };
  }

  #asReplicator(endpoint: Endpoint): Endpoint {
    return { ...endpoint, user: feedUser(endpoint, this.#options.isEmbedded) };
  }

  async #isCapable(realtime: 'on' | 'auto', { endpoints: { write } }: PreparedDatabases): Promise<boolean> {
    const session = { connectTimeoutMs: checkMs, statementTimeoutMs: checkMs, answerTimeoutMs: checkMs };
    const server = await openAskedServer(write, { applicationName: 'messenger start', ...session });
    const user = feedUser(write, this.#options.isEmbedded);
    let problems: readonly FeedProblem[];
    try {
      problems = await findFeedProblems(server, user, feedTables);
    } finally {
      await server.close();
    }
    if (problems.length === 0) return true;
    const text = explain(write, problems);
    if (realtime === 'on') throw new OperatorError(`REALTIME=on: ${text}`);
    this.#options.log.warn(`The server runs without realtime. ${text}`);
    return false;
  }

  /** That of the embedded databases, which is private; else a temporary one. */
  async #makeFolder(primary: Endpoint): Promise<string> {
    if (this.#options.isEmbedded) return primary.host;
    this.#folder ??= await mkdtemp(join(tmpdir(), 'messenger-feed-'));
    return this.#folder;
  }
}

/** What the process of the feed is told; plain data. */
export interface FeedLaunch {
  readonly log: Config['log'];
  readonly feed: FeedSettings;
}

/** The role that follows the log. */
export function feedUser({ user }: Endpoint, isEmbedded: boolean): string {
  return isEmbedded ? roles.replication : user;
}

function explain(primary: Endpoint, problems: readonly FeedProblem[]): string {
  const lines = problems.map(({ found, advice }) => `${found}: ${advice}.`);
  return `${placeOf(primary)} cannot be followed:\n  ${lines.join('\n  ')}\nREALTIME=off runs without realtime, and without this check.`;
}
