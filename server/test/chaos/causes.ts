import { setTimeout as sleep } from 'node:timers/promises';

import { Client as Session } from 'pg';

import type { Role } from '../../src/db/pool.ts';
import { clientConfig } from '../../src/db/session.ts';
import { waitFor } from '../wait-for.ts';
import type { Random } from './random.ts';
import type { System } from './system.ts';

/** Something that happens to a server under load. */
export interface Cause {
  readonly name: string;
  /** Resolves when it is over: what follows is the server's own business. */
  readonly happen: (system: System, random: Random) => Promise<Aftermath | void>;
  readonly touches: 'primary' | 'standby' | 'worker';
}

export interface Aftermath {
  /** The number of the worker that was killed: its connections may be cut. */
  readonly killedWorker?: string;
}

const exhaustedMs = 4_000;
const frozenPrimaryMs = 8_000;

export const causes: readonly Cause[] = [
  {
    name: 'the primary restarts',
    touches: 'primary',
    happen: async (system) => {
      const [postmaster] = system.databaseProcesses('write');
      if (postmaster !== undefined) process.kill(postmaster, 'SIGINT');
    },
  },
  {
    name: 'the primary is killed',
    touches: 'primary',
    happen: async (system) => system.kill(system.databaseProcesses('write')),
  },
  {
    name: 'the primary is frozen',
    touches: 'primary',
    happen: async (system) => freeze(system, 'write', frozenPrimaryMs),
  },
  {
    name: 'the standby is frozen',
    touches: 'standby',
    happen: async (system, random) => freeze(system, 'read', random.between(1_000, 5_000)),
  },
  {
    name: 'the standby is killed',
    touches: 'standby',
    happen: async (system) => system.kill(system.databaseProcesses('read')),
  },
  { name: 'a worker is killed', touches: 'worker', happen: killWorker },
  {
    name: 'others take all connections of the primary',
    touches: 'primary',
    happen: async (system) => takeAllConnections(system, 'write'),
  },
  {
    name: 'others take all connections of the standby',
    touches: 'standby',
    happen: async (system) => takeAllConnections(system, 'read'),
  },
];

async function freeze(system: System, role: Role, ms: number): Promise<void> {
  const thaw = system.freeze(role);
  await sleep(ms);
  thaw();
}

async function killWorker(system: System, random: Random): Promise<Aftermath> {
  const said = system.log.length;
  const ended = (): string | undefined =>
    /"worker":(\d+)[^\n]*"msg":"a worker ended"/u.exec(system.log.slice(said))?.[1];
  system.kill([random.pick(system.workers)]);
  await waitFor('its end to be told', () => ended() !== undefined);
  return { killedWorker: ended() ?? '' };
}

/** Ends the server's own sessions, and is faster than it to take their places. */
async function takeAllConnections(system: System, role: Role): Promise<void> {
  const held: Session[] = [];
  const until = performance.now() + exhaustedMs;
  const endpoint = await system.endpoint(role);
  const take = async (): Promise<boolean> => {
    const session = new Session(
      clientConfig(endpoint, { applicationName: 'crowd', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 }),
    );
    session.on('error', () => undefined); // Its end is not what this is about.
    const isIn = await session.connect().then(
      () => true,
      () => false,
    );
    if (isIn) held.push(session);
    return isIn;
  };
  await take();
  const evict = `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'messenger %'`;
  const crowd = Array.from({ length: 8 }, async () => {
    while (performance.now() < until) if (!(await take())) await sleep(20);
  });
  await waitFor('a crowd', async () => held.length >= 300 || performance.now() > until);
  while (performance.now() < until) {
    await held[0]?.query(evict);
    await sleep(200);
  }
  await Promise.all(crowd);
  await Promise.all(held.map(async (session) => session.end()));
}
