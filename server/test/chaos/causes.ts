import { setTimeout as sleep } from 'node:timers/promises';

import { Client as Session } from 'pg';

import type { Role } from '../../src/db/pool.ts';
import { clientConfig } from '../../src/db/session.ts';
import { waitFor } from '../wait-for.ts';
import type { Random } from './random.ts';
import type { System } from './system.ts';

/** A fault of a server under load. */
export interface Cause {
  readonly name: string;
  /** Resolves when the fault is over; then the server must recover by itself. */
  readonly happen: (system: System, random: Random) => Promise<Aftermath | void>;
  readonly touches: 'primary' | 'standby' | 'worker';
}

export interface Aftermath {
  /** The number of the killed worker: its connections may be reset. */
  readonly killedWorker?: string;
}

/** All connections are taken within this time, even on a busy machine. */
const crowdMs = 10_000;

export interface Durations {
  /** Counted from when no connection is left. */
  readonly exhaustedMs: number;
  /** Longer than the deadline of a write, so that writes reach it. */
  readonly frozenPrimaryMs: number;
}

export const causes = causesLasting({ exhaustedMs: 4_000, frozenPrimaryMs: 8_000 });

export function causesLasting({ exhaustedMs, frozenPrimaryMs }: Durations): readonly Cause[] {
  return [
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
      happen: async (system) => takeAllConnections(system, 'write', exhaustedMs),
    },
    {
      name: 'others take all connections of the standby',
      touches: 'standby',
      happen: async (system) => takeAllConnections(system, 'read', exhaustedMs),
    },
  ];
}

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
  await waitFor('its end to be logged', () => ended() !== undefined);
  return { killedWorker: ended() ?? '' };
}

/** Terminates the server's sessions, and takes their places before it can reconnect. */
async function takeAllConnections(system: System, role: Role, exhaustedMs: number): Promise<void> {
  const held: Session[] = [];
  let until = performance.now() + crowdMs;
  let isFull = false;
  const endpoint = await system.endpoint(role);
  const take = async (): Promise<boolean> => {
    const session = new Session(
      clientConfig(endpoint, { applicationName: 'crowd', connectTimeoutMs: 5_000, statementTimeoutMs: 5_000 }),
    );
    session.on('error', () => undefined); // Errors of these sessions do not matter.
    const isIn = await session.connect().then(
      () => true,
      () => false,
    );
    if (isIn) held.push(session);
    else isFull = true;
    return isIn;
  };
  await take();
  const evict = `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'messenger %'`;
  const crowd = Array.from({ length: 8 }, async () => {
    while (performance.now() < until) if (!(await take())) await sleep(20);
  });
  await waitFor('a crowd', () => isFull, crowdMs);
  until = performance.now() + exhaustedMs;
  while (performance.now() < until) {
    await held[0]?.query(evict);
    await sleep(200);
  }
  await Promise.all(crowd);
  await Promise.all(held.map(async (session) => session.end()));
}
