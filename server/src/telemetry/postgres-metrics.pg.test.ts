import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { withClient } from '../db/session.ts';
import { createLog } from './log.ts';
import type { Snapshot } from './metrics.ts';
import { PostgresMetrics, type NamedServer } from './postgres-metrics.ts';

const database = useDatabase();
const log = createLog({ level: 'silent', name: 'test', pretty: false });
const session = { applicationName: 'test', connectTimeoutMs: 5_000, statementTimeoutMs: 30_000 };

function both(): NamedServer[] {
  const { write, read } = database().endpoints;
  return [
    { name: 'primary', endpoint: write },
    { name: 'standby', endpoint: read },
  ];
}

/** Queries these servers at each read by `use`, without a cache. */
async function withMetrics(servers: readonly NamedServer[], use: (read: () => Promise<Snapshot>) => Promise<void>) {
  let now = 0;
  const metrics = new PostgresMetrics({ servers: () => servers, clock: { now: () => now }, random: () => 0, log });
  try {
    await use(async () => {
      now += 1_000;
      return await metrics.read();
    });
  } finally {
    await metrics.close();
  }
}

function value(snapshot: Snapshot, name: keyof Snapshot, ...labels: readonly string[]): number | undefined {
  return snapshot[name]?.find((one) => one.labels.join() === labels.join())?.values[0];
}

test('both servers have metrics, and the standby those of replication', async () => {
  await withMetrics(both(), async (read) => {
    await database().sql('create schema elsewhere create table foreigners ()');
    await database().replicated();
    const snapshot = await read();
    for (const server of ['primary', 'standby']) {
      assert.equal(value(snapshot, 'messenger_postgres_up', server), 1);
      assert.equal(value(snapshot, 'messenger_postgres_monitored', server), 1);
      assert.ok((value(snapshot, 'messenger_postgres_connections', server, 'active') ?? 0) >= 1);
      assert.ok((value(snapshot, 'messenger_postgres_max_connections', server) ?? 0) > 10);
    }
    assert.ok((value(snapshot, 'messenger_postgres_commits_total', 'primary') ?? 0) > 0);
    assert.ok((value(snapshot, 'messenger_postgres_cache_hit_ratio', 'primary') ?? 2) <= 1);
    assert.equal(value(snapshot, 'messenger_postgres_replication_state', 'standby', 'streaming'), 1);
    assert.equal(typeof value(snapshot, 'messenger_postgres_dead_rows', 'users'), 'number');
    assert.equal(value(snapshot, 'messenger_postgres_dead_rows', 'foreigners'), undefined);
    assert.equal(snapshot.messenger_postgres_replication_lag_bytes?.length, 1);
  });
});

test('sessions waiting for a lock are counted, and the age of the oldest transaction is measured', async () => {
  await withMetrics(both(), async (read) => {
    const { write } = database().endpoints;
    await withClient(write, session, async (holder) => {
      await withClient(write, session, async (waiter) => {
        await holder.query('begin');
        await holder.query('lock table users');
        const waiting = waiter.query('select count(*) from users');
        await waitFor('it to wait', async () => value(await read(), 'messenger_postgres_lock_waits', 'primary') === 1);
        const snapshot = await read();
        assert.ok((value(snapshot, 'messenger_postgres_oldest_transaction_seconds', 'primary') ?? 0) > 0);
        assert.ok((value(snapshot, 'messenger_postgres_connections', 'primary', 'idle in transaction') ?? 0) >= 1);
        await holder.query('rollback');
        await waiting;
      });
    });
  });
});

test('a role without pg_monitor is reported, and values that it cannot see are omitted', async () => {
  const { write, read } = database().endpoints;
  await database().sql(`create role blind login`);
  try {
    await database().replicated();
    const blind = (endpoint: Endpoint): Endpoint => ({ ...endpoint, user: 'blind' });
    const servers = [
      { name: 'primary', endpoint: blind(write) },
      { name: 'standby', endpoint: blind(read) },
    ];
    await withMetrics(servers, async (ask) => {
      const snapshot = await ask();
      assert.equal(value(snapshot, 'messenger_postgres_up', 'primary'), 1);
      assert.equal(value(snapshot, 'messenger_postgres_monitored', 'primary'), 0);
      assert.equal(value(snapshot, 'messenger_postgres_replication_state', 'standby', 'hidden'), 1);
      assert.equal(typeof value(snapshot, 'messenger_postgres_replication_lag_bytes', 'standby'), 'number');
    });
  } finally {
    await database().sql(`drop role blind`);
  }
});

test('an unavailable server is down within the time limit, and the other one is still measured', async () => {
  const { write } = database().endpoints;
  const nowhere = { name: 'standby', endpoint: { ...write, host: '127.0.0.1', port: 1 } };
  await withMetrics([...both().slice(0, 1), nowhere], async (read) => {
    const snapshot = await read();
    assert.equal(value(snapshot, 'messenger_postgres_up', 'primary'), 1);
    assert.equal(value(snapshot, 'messenger_postgres_up', 'standby'), 0);
    assert.equal(snapshot.messenger_postgres_replication_lag_bytes, undefined);
  });
});

test('a server is queried at most twice a second, whatever the number of callers', async () => {
  const metrics = new PostgresMetrics({ servers: both, clock: { now: () => 0 }, random: () => 0, log });
  const [first, second] = await Promise.all([metrics.read(), metrics.read()]);
  assert.equal(first, second);
  assert.equal(await metrics.read(), first);
  await metrics.close();
});

test('the role of a server is measured, whatever its label', async () => {
  const { write, read } = database().endpoints;
  const swapped = [
    { name: 'primary', endpoint: read },
    { name: 'standby', endpoint: write },
  ];
  await withMetrics(swapped, async (ask) => {
    const snapshot = await ask();
    assert.equal(value(snapshot, 'messenger_postgres_role', 'primary', 'standby'), 1);
    assert.equal(value(snapshot, 'messenger_postgres_role', 'standby', 'primary'), 1);
    const timelines = ['primary', 'standby'].map((name) => value(snapshot, 'messenger_postgres_timeline', name));
    assert.deepEqual(timelines, [1, 1]);
    const started = value(snapshot, 'messenger_postgres_start_time_seconds', 'primary') ?? 0;
    assert.ok(started > Date.now() / 1_000 - 86_400 && started <= Date.now() / 1_000 + 1);
  });
  await database().sql(`create role reader login; alter role reader set default_transaction_read_only = on`);
  try {
    await withMetrics([{ name: 'primary', endpoint: { ...write, user: 'reader' } }], async (ask) => {
      assert.equal(value(await ask(), 'messenger_postgres_role', 'primary', 'read_only'), 1);
    });
  } finally {
    await database().sql(`drop role reader`);
  }
});

/** The metrics sessions on the primary. */
async function sessionsOfMetrics(): Promise<number> {
  const [row] = await database().sql<{ count: number }>(
    `select count(*)::int from pg_stat_activity where application_name = 'messenger metrics' and datname = current_database()`,
  );
  return row?.count ?? 0;
}

test('a removed server has no series and no connection, and an added one is measured at once', async () => {
  const [primary, standby] = both();
  assert(primary !== undefined && standby !== undefined);
  let servers: readonly NamedServer[] = [{ ...primary, name: 'primary' }, standby];
  let now = 0;
  const metrics = new PostgresMetrics({
    servers: () => servers,
    clock: { now: () => now },
    random: () => 0,
    log,
  });
  const up = async (): Promise<unknown> => {
    now += 1_000;
    return ((await metrics.read()).messenger_postgres_up ?? []).map(({ labels: [name], values: [one] }) => [name, one]);
  };
  try {
    assert.deepEqual(await up(), [
      ['primary', 1],
      ['standby', 1],
    ]);
    assert.equal(await sessionsOfMetrics(), 1);
    servers = [{ name: 'primary', endpoint: standby.endpoint }];
    assert.deepEqual(await up(), [['primary', 1]]);
    await waitFor('the connection to close', async () => (await sessionsOfMetrics()) === 0);
    servers = [standby, primary];
    assert.deepEqual(await up(), [
      ['standby', 1],
      ['primary', 1],
    ]);
  } finally {
    await metrics.close();
  }
});
