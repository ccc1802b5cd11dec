/**
 * `npm run bench:lists`: the cost of a page of 20 users in shared buffers, before, during and after a million users
 * come and go; with the settings that keep lists flat, and with PostgreSQL's defaults. See docs/decisions/0009.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Client } from 'pg';

import { withClient } from '../src/db/session.ts';
import { BenchServer } from './bench-server.ts';
import { runInterruptibly } from './interruptible.ts';
import { describeRun } from './machine.ts';
import { median, quantile } from './statistics.ts';

const users = 1_000_000;
const batch = 500;

/** Creates per second, and as many deletes: those of a busy server. */
const perSecond = 10_000;

/** Batches between two measurements. */
const lookEvery = 20;

/** An idle session reports its deletes only after 10 s; then autovacuum runs within a second or two. */
const settleMs = 15_000;

const session = { applicationName: 'bench lists', connectTimeoutMs: 5_000, statementTimeoutMs: 0 };

type PerServer = Readonly<Record<'primary' | 'standby', number>>;

interface Clients {
  readonly primary: Client;
  readonly standby: Client;
}

async function buffers(client: Client): Promise<number> {
  const { rows } = await client.query<{ 'QUERY PLAN': readonly { readonly Plan: Readonly<Record<string, number>> }[] }>(
    `explain (analyze, buffers, format json) select id, first_name, last_name, created_at, updated_at
       from users order by created_at desc, id desc limit 20`,
  );
  const plan = rows[0]?.['QUERY PLAN'][0]?.Plan;
  return (plan?.['Shared Hit Blocks'] ?? Number.NaN) + (plan?.['Shared Read Blocks'] ?? Number.NaN);
}

async function look({ primary, standby }: Clients): Promise<PerServer> {
  return { primary: await buffers(primary), standby: await buffers(standby) };
}

async function comeAndGo(client: Client): Promise<void> {
  const { rows } = await client.query<{ id: string }>({
    name: 'come',
    text: `insert into users (first_name, last_name, created_at)
      select 'passing', n::text, clock_timestamp() from generate_series(1, $1::int) n returning id`,
    values: [batch],
  });
  await client.query({ name: 'go', text: 'delete from users where id = any($1)', values: [rows.map(({ id }) => id)] });
}

interface Costs {
  readonly before: PerServer;
  readonly during: readonly PerServer[];
  readonly after: PerServer;
}

async function churn(clients: Clients, signal: AbortSignal): Promise<Costs> {
  const before = await look(clients);
  const during: PerServer[] = [];
  const began = performance.now();
  for (let done = 0; done < users; done += batch) {
    signal.throwIfAborted();
    await comeAndGo(clients.primary);
    if ((done / batch) % lookEvery === lookEvery - 1) during.push(await look(clients));
    const early = (done * 1000) / perSecond - (performance.now() - began);
    if (early > 0) await sleep(early);
  }
  await sleep(settleMs, undefined, { signal });
  return { before, during, after: await look(clients) };
}

/** PostgreSQL's defaults; the index stays as it is. */
async function useDefaults({ primary, standby }: Clients): Promise<void> {
  await primary.query(`alter table users reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
    vacuum_index_cleanup, autovacuum_vacuum_cost_delay, vacuum_truncate)`);
  await primary.query("alter system set autovacuum_naptime = '1min'");
  await standby.query("alter system set wal_receiver_status_interval = '10s'");
  for (const client of [primary, standby]) await client.query('select pg_reload_conf()');
}

async function measure(prepare: (clients: Clients) => Promise<void>, signal: AbortSignal): Promise<Costs> {
  const server = await BenchServer.start({});
  try {
    await server.settle();
    const { write, read } = server.endpoints;
    return await withClient(write, session, async (primary) =>
      withClient(read, session, async (standby) => {
        await prepare({ primary, standby });
        return await churn({ primary, standby }, signal);
      }),
    );
  } finally {
    await server.stop();
  }
}

function describe(name: string, { before, during, after }: Costs): string[] {
  return (['primary', 'standby'] as const).map((server) => {
    const costs = during.map(({ [server]: cost }) => cost);
    const cells = [before[server], median(costs), quantile(costs, 0.99), after[server]];
    return `| ${[name, server, ...cells].join(' | ')} |`;
  });
}

await runInterruptibly(async (signal) => {
  const rows = [
    ...describe('with our settings', await measure(async () => undefined, signal)),
    ...describe('with the defaults', await measure(useDefaults, signal)),
  ];
  console.log(
    [
      `${describeRun(new Date())}. Buffers of a page of 20; ${users} users come and go, ${perSecond} a second.\n`,
      '| | server | before | during, median | 99 % | after |\n| --- | --- | ---: | ---: | ---: | ---: |',
      ...rows,
    ].join('\n'),
  );
});
