import { setTimeout as sleep } from 'node:timers/promises';

import { calls, isOk, isRefused, type Client } from './client.ts';
import { Ledger, type Row } from './ledger.ts';
import type { Finding, Run } from './part.ts';
import { waitFor } from '../wait-for.ts';
import type { Random } from './random.ts';
import { System } from './system.ts';

export interface DurabilityOptions {
  /** Killed in this order. */
  readonly victims: readonly Victim[];
  readonly clients: number;
}

/**
 * What is killed: the primary with all its processes, one of its sessions (PostgreSQL then discards all shared memory
 * and recovers), or everything at once, including supervisor and guardians.
 */
const allVictims = ['primary', 'session', 'everything'] as const;
type Victim = (typeof allVictims)[number];

/** At random, so that crashes hit primaries that have run for a while, and new ones. */
export function pickVictims(count: number, random: Random): Victim[] {
  return Array.from({ length: count }, () => random.pick(allVictims));
}

/**
 * Kills at random moments under write load; after recovery, compares every row on the primary with the acknowledged
 * writes, and the standby with the primary. A kill keeps the page cache: this proves that commits leave the server
 * before they are acknowledged, not that the disk keeps them.
 */
export async function proveDurability({ victims, clients }: DurabilityOptions, run: Run): Promise<Finding> {
  const system = await System.create();
  const ledger = new Ledger();
  const violations: string[] = [];
  let kills = 0;
  try {
    for (const [index, victim] of victims.entries()) {
      if (run.signal.aborted || violations.length > 0) break;
      kills = index + 1;
      const found = await killUnderLoad(system, victim, { ledger, clients, run });
      violations.push(...found.map((violation) => `after kill ${index + 1} (${victim}): ${violation}`));
      const { acknowledged, uncertain } = ledger.counts;
      run.say(`durability: kill ${kills} (${victim}): ${acknowledged} acknowledged, ${uncertain} uncertain`);
    }
  } finally {
    await system.destroy();
  }
  const { acknowledged, uncertain } = ledger.counts;
  const of = (victim: Victim): number => victims.slice(0, kills).filter((one) => one === victim).length;
  const figures =
    `${kills} kills (${of('primary')} of the primary, ${of('session')} of a session, ${of('everything')} of everything), ` +
    `${acknowledged} acknowledged writes, ${uncertain} uncertain, ${violations.length} lost, duplicated or partial`;
  return { figures, violations };
}

interface Load {
  readonly ledger: Ledger;
  readonly clients: number;
  readonly run: Run;
}

async function killUnderLoad(system: System, victim: Victim, load: Load): Promise<string[]> {
  const over = new AbortController();
  const before = load.ledger.counts.acknowledged;
  const writing = Promise.all(Array.from({ length: load.clients }, async () => write(system, load, over.signal)));
  writing.catch(() => undefined); // Reported below, even if it fails before it is awaited.
  await waitFor('writes', () => load.ledger.counts.acknowledged > before);
  const strike = await aim(system, victim, load.run);
  await sleep(load.run.random.between(300, 2_000));
  strike();
  over.abort();
  await writing;
  if (victim === 'everything') await system.startAgain();
  await system.ready();
  const found = load.ledger.compare(await rowsOn(system, 'write'));
  await system.replicated();
  return [...found, ...load.ledger.compare(await rowsOn(system, 'read')).map((text) => `on the standby: ${text}`)];
}

/** Finds the processes in advance: during the search, the load would stop. Returns a function that kills them. */
async function aim(system: System, victim: Victim, { random }: Run): Promise<() => void> {
  if (victim === 'session') {
    const sessions = await system.sql<{ pid: number }>(
      'write',
      `select pid from pg_stat_activity where application_name like 'messenger write%'`,
    );
    const { pid } = random.pick(sessions);
    return () => system.kill([pid]);
  }
  const pids = victim === 'everything' ? system.processes() : system.databaseProcesses('write');
  return () => system.kill(pids);
}

/** Retries while the server recovers: readiness may come from a check before the kill, up to a second old. */
async function rowsOn(system: System, role: 'write' | 'read'): Promise<Row[]> {
  const found: Row[][] = [];
  const ask = async (): Promise<number> =>
    found.push(await system.sql(role, 'select id, first_name, last_name from users'));
  await waitFor(`rows of the ${role} server`, async () =>
    ask().then(
      () => true,
      () => false,
    ),
  );
  return found.flat();
}

/**
 * One client, until the server fails it or time is up. A write that failed without a refusal may have happened; its
 * user is not changed again.
 */
async function write(system: System, { ledger, run }: Load, over: AbortSignal): Promise<void> {
  const client = system.client(2, run.random);
  const own: string[] = [];
  for (let isOn = true; isOn && !over.aborted;) {
    const key = own.length > 0 && run.random.chance(0.5) ? run.random.pick(own) : undefined;
    if (key === undefined) isOn = await create(client, ledger, own);
    else if (run.random.chance(0.3)) isOn = await remove(client, ledger, own, key);
    else isOn = await rename(client, ledger, key);
  }
  client.close();
}

async function create(client: Client, ledger: Ledger, own: string[]): Promise<boolean> {
  const entry = ledger.begin();
  const outcome = await client.call(calls.create(entry.names, entry.names));
  if (isRefused(outcome)) ledger.refused(entry.key);
  if (!isOk(outcome)) return false;
  ledger.created(entry, outcome.body);
  own.push(entry.key);
  return true;
}

async function rename(client: Client, ledger: Ledger, key: string): Promise<boolean> {
  const { id, names } = ledger.beginRename(key);
  const outcome = await client.call(calls.rename(id, names, names));
  if (isRefused(outcome)) ledger.refused(key);
  if (isOk(outcome)) ledger.renamed(key);
  return isOk(outcome);
}

async function remove(client: Client, ledger: Ledger, own: string[], key: string): Promise<boolean> {
  const outcome = await client.call(calls.remove(ledger.beginRemoval(key)));
  if (isRefused(outcome)) ledger.refused(key);
  if (!isOk(outcome)) return false;
  ledger.removed(key);
  own.splice(own.indexOf(key), 1);
  return true;
}
