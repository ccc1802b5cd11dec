import { areOneServer } from './db/identity.ts';
import type { ServerStatus } from './db/position.ts';
import type { Server } from './db/server.ts';
import { assertStandbyDurability } from './db/standby-durability.ts';
import type { Primary, Topology } from './db/topology.ts';
import { watchServers, type WatchOptions } from './db/watched-servers.ts';
import type { Clock } from './lib/clock.ts';
import { OperatorError } from './lib/operator-error.ts';
import type { Service } from './process/service.ts';
import type { RecordEvent } from './telemetry/events.ts';
import type { Log } from './telemetry/log.ts';
import type { NamedServer } from './telemetry/postgres-metrics.ts';

export interface ServerRolesOptions {
  /** Evaluated when it starts. */
  readonly watched: () => WatchOptions;
  /** Whether commits must wait for a standby; checked on each primary. */
  readonly durability: 'disk' | 'standby';
  readonly record: RecordEvent;
  readonly clock: Clock;
  readonly log: Log;
}

const checkMs = 2_000;

/** The supervisor's own view of the roles, for metrics and events. Workers have theirs. */
export class ServerRoles implements Service {
  readonly name = 'server roles';
  readonly #options: ServerRolesOptions;
  #topology: Topology | undefined;
  /** The primary whose durability settings were read last. */
  #checked: ServerStatus | undefined;

  constructor(options: ServerRolesOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { watched, record } = this.#options;
    const { topology } = watchServers(watched(), this.#options);
    this.#topology = topology;
    let before = topology.primary;
    topology.onAnswer(() => {
      const { primary } = topology;
      if (primary !== undefined) void this.#checkDurability(primary);
      if (before !== undefined && primary !== undefined && before.status.timeline < primary.status.timeline)
        record({
          kind: 'failover',
          level: 'warn',
          text: `A standby was promoted: the primary is ${primary.server.place}`,
        });
      before = primary;
    });
    await topology.start();
  }

  /**
   * Once for each primary. A promoted standby has its own settings, and may acknowledge writes that no other server
   * has. That is logged and the server continues: it is the only one that accepts writes. Never rejects.
   */
  async #checkDurability({ server, status }: Primary): Promise<void> {
    const { durability, record, log } = this.#options;
    if (durability === 'disk' || (this.#checked !== undefined && areOneServer(this.#checked, status))) return;
    const before = this.#checked;
    this.#checked = status;
    try {
      await assertStandbyDurability(server.endpoint, checkMs);
    } catch (error) {
      if (!(error instanceof OperatorError)) {
        this.#checked = before; // Retried after the next answer.
        return;
      }
      log.error({ primary: server.place, reason: error.message }, 'commits do not wait for a standby');
      const text = `Writes are acknowledged without a standby: the primary ${server.place} does not wait for one`;
      record({ kind: 'standby', level: 'bad', text });
    }
  }

  /** Restarts with the current `watched`. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#topology?.stop();
  }

  /** The servers by their roles now: the primary first, then all others, each once. */
  readonly servers = (): readonly NamedServer[] => {
    if (this.#topology === undefined) return [];
    const { primary, servers } = this.#topology;
    const [first, ...others] = distinct(primary === undefined ? servers : [primary.server, ...servers]);
    if (first === undefined) return [];
    const nameOf = (index: number): string => (others.length === 1 ? 'standby' : `standby ${index + 1}`);
    return [
      { name: 'primary', endpoint: first.endpoint },
      ...others.map(({ endpoint }, index) => ({ name: nameOf(index), endpoint })),
    ];
  };
}

/**
 * Without aliases of servers earlier in the list. If no other server is left, one alias stays: a standby was
 * configured, and there is none.
 */
function distinct(servers: readonly Server[]): readonly Server[] {
  const different = servers.filter((server, index) =>
    servers.slice(0, index).every((other) => !areSame(server, other)),
  );
  return different.length > 1 ? different : [...different, ...secondNames(servers)].slice(0, 2);
}

function secondNames(servers: readonly Server[]): readonly Server[] {
  return servers.filter(({ place }) => place !== servers[0]?.place);
}

function areSame(one: Server, other: Server): boolean {
  if (one.place === other.place) return true;
  return (
    one.lastStatus !== undefined && other.lastStatus !== undefined && areOneServer(one.lastStatus, other.lastStatus)
  );
}
