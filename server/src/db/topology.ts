import { setTimeout as sleep } from 'node:timers/promises';

import type { Clock } from '../lib/clock.ts';
import type { Log } from '../telemetry/log.ts';
import { RepeatLog } from '../telemetry/repeat-log.ts';
import { areOneServer } from './identity.ts';
import type { ServerStatus } from './position.ts';
import type { Server } from './server.ts';

export interface TopologyOptions {
  /** Servers that may be the primary, in order of preference. */
  readonly candidates: readonly Server[];
  /** Servers for reads. A server may be both. */
  readonly standbys: readonly Server[];
  /** The database cluster to serve; default: that of the first primary found. */
  readonly systemIdentifier?: string | undefined;
  /** Whether writes are admitted at once, or only after `openForWrites`; default: at once. */
  readonly isOpenForWrites?: boolean;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Primary {
  readonly server: Server;
  /** From its last answer as the primary. */
  readonly status: ServerStatus;
  /** Whether it accepts writes, as far as is known. */
  readonly isWritable: boolean;
}

/** The interval of queries to one server. */
const everyMs = 250;

/** The pause between extra rounds of queries: an outage must not cause a storm of them. */
const pauseMs = 100;

/**
 * How long writes wait after a failover. Until other workers have detected it, they may answer from the old primary, which lacks writes
 * that the new one acknowledged. The detection of a moved name takes longer.
 */
const settleMs = { otherServer: 500, sameName: 1_250 };

/**
 * Which server is the primary. Queries every server four times a second. The primary is a server of our cluster that is
 * not in recovery and is on the newest timeline seen: each promotion begins a new one, so a server on an older timeline
 * is an old primary, whatever it reports. See docs/decisions/0025-topology.md.
 */
export class Topology {
  readonly #options: TopologyOptions;
  readonly #servers: readonly Server[];
  readonly #listeners: (() => void)[] = [];
  #primary: Primary | undefined;
  #systemIdentifier: string | undefined;
  #timeline = 0;
  #settledAt = 0;
  #looking: Promise<void> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #moved = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #isSearching = true;
  #isOpenForWrites: boolean;
  readonly #repeated: RepeatLog;

  constructor(options: TopologyOptions) {
    this.#options = options;
    this.#repeated = new RepeatLog(options.log);
    this.#isOpenForWrites = options.isOpenForWrites ?? true;
    this.#systemIdentifier = options.systemIdentifier;
    this.#servers = [...new Set([...options.candidates, ...options.standbys])];
    for (const server of this.#servers) server.onAnswer(() => this.#judge());
  }

  /** As last known; undefined until one was found. */
  get primary(): Primary | undefined {
    return this.#primary;
  }

  /** All watched servers, candidates first. */
  get servers(): readonly Server[] {
    return this.#servers;
  }

  /** Calls the listener after each answer of a server, and each missing one, when the primary is known. */
  onAnswer(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /**
   * Whether the start may still find a primary: until then, its standbys' lag is unknown. If there is none, the
   * standbys are used anyway.
   */
  get isSearching(): boolean {
    return this.#isSearching && this.#primary === undefined;
  }

  /**
   * Resolves when each server was queried once, and once more without a primary; within a second, even if some are
   * unavailable.
   */
  async start(): Promise<void> {
    await this.#askAll();
    // On a busy machine, a first connection may take longer than the deadline of an answer.
    if (this.#primary === undefined) await this.#askAll();
    this.#isSearching = false;
    this.#tellListeners();
    this.#timer = setInterval(() => {
      for (const server of this.#servers) if (!server.isBeingAsked) void server.ask();
    }, everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#repeated.close();
    await Promise.all(this.#servers.map(async (server) => server.close()));
  }

  /**
   * Queries all servers over new connections after a failure. Resolves within two seconds: when another primary was
   * found, or when all servers have been queried. Never rejects.
   */
  async look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    await Promise.race([this.#looking, this.#moved.promise]);
  }

  /** The primary, which was unavailable at the start, is prepared: its schema and settings are known to be right. */
  openForWrites(): void {
    this.#isOpenForWrites = true;
  }

  /** Whether a write may be sent now. */
  get takesWrites(): boolean {
    const isSettled = this.#options.clock.now() >= this.#settledAt;
    return this.#isOpenForWrites && this.#primary?.isWritable !== false && isSettled;
  }

  /** Resolves when a write may be sent; rejects when the primary accepts none, or is not prepared yet. */
  async admitWrite(): Promise<void> {
    if (!this.#isOpenForWrites) throw new Error('the primary was unavailable at the start, and is not prepared yet');
    if (this.#primary?.isWritable === false) throw new Error(`${this.#primary.server.place} takes no writes`);
    const waitMs = this.#settledAt - this.#options.clock.now();
    if (waitMs > 0) await sleep(waitMs);
  }

  /** Why a server cannot be the primary; undefined when it is, or when no primary is known. */
  misfitOf(status: ServerStatus): string | undefined {
    if (status.inRecovery) return 'it is a standby';
    if (this.#primary === undefined || areOneServer(status, this.#primary.status)) return undefined;
    return 'it is not the known primary';
  }

  async #askAll(): Promise<void> {
    await Promise.all(this.#servers.map(async (server) => server.ask()));
  }

  #tellListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  async #look(): Promise<void> {
    const { clock } = this.#options;
    await sleep(Math.max(0, this.#lookedAt + pauseMs - clock.now()));
    await Promise.all(this.#servers.map(async (server) => server.ask({ anew: true })));
    this.#lookedAt = clock.now();
  }

  #judge(): void {
    const seen = this.#options.candidates.flatMap((server) =>
      server.status === undefined ? [] : [{ server, status: server.status }],
    );
    this.#systemIdentifier ??= seen.find(({ status }) => !status.inRecovery)?.status.systemIdentifier;
    const ours = seen.filter(({ status }) => status.systemIdentifier === this.#systemIdentifier);
    this.#timeline = Math.max(this.#timeline, ...ours.map(({ status }) => status.timeline));
    const able = ours.filter(({ status }) => !status.inRecovery && status.timeline === this.#timeline);
    const known = this.#primary?.server;
    const best = preferred(able, ({ status }) => !status.readOnly, known) ?? preferred(able, () => true, known);
    if (best !== undefined) this.#follow({ ...best, isWritable: !best.status.readOnly });
    // It answers as a standby, or on an old timeline. One that does not answer may come back unchanged.
    else if (this.#primary !== undefined && known?.status !== undefined)
      this.#follow({ ...this.#primary, isWritable: false });
    this.#tellListeners();
  }

  #follow(primary: Primary): void {
    const before = this.#primary;
    this.#primary = primary;
    const isSameServer = before !== undefined && areOneServer(before.status, primary.status);
    if (isSameServer && before.status.timeline === primary.status.timeline) {
      if (before.isWritable !== primary.isWritable) this.#tellWritable(primary);
      return;
    }
    if (before !== undefined && before.status.timeline < primary.status.timeline) this.#failOver(before, primary);
    this.#moved.resolve();
    this.#moved = Promise.withResolvers();
  }

  #failOver(before: Primary, { server, status: { timeline } }: Primary): void {
    const { clock, log } = this.#options;
    this.#settledAt = clock.now() + (server === before.server ? settleMs.sameName : settleMs.otherServer);
    log.warn({ primary: server.place, before: before.server.place, timeline }, 'failover: there is a new primary');
  }

  #tellWritable({ server: { place: primary }, isWritable }: Primary): void {
    const text = isWritable
      ? 'the primary accepts writes again'
      : 'the primary accepts no writes: it is read-only, a standby, or on an old timeline';
    const level = isWritable ? 'info' : 'warn';
    this.#repeated.add({ level, key: text, one: text, many: text }, () => ({ primary }));
  }
}

interface Seen {
  readonly server: Server;
  readonly status: ServerStatus;
}

/** The current primary, if it is among them; else the first. */
function preferred(seen: readonly Seen[], isFit: (one: Seen) => boolean, known: Server | undefined): Seen | undefined {
  const fit = seen.filter(isFit);
  return fit.find(({ server }) => server === known) ?? fit[0];
}
