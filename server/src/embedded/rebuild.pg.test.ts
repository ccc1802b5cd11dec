import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { withPrimary } from './only-primary.ts';
import type { EmbeddedPair } from './pair.ts';
import { withSession } from './sql.ts';
import { ask, eventually, makeTestSite, replicates, soon, type TestSite } from './test-pair.ts';

let site: TestSite;
let pair: EmbeddedPair;
/** The number of log lines of earlier tests. */
let heard = 0;

/** So little WAL is retained that a short absence invalidates the standby's slot. */
const forgetful = { max_slot_wal_keep_size: '32MB', min_wal_size: '32MB', max_wal_size: '32MB' };

before(async () => {
  site = await makeTestSite();
  pair = site.pair({ overrides: overrides() });
  await pair.start(soon());
  await ask(pair, 'write', 'create table kept (id uuid primary key default uuidv7())');
  await replicates(pair, 'kept');
});

after(async () => {
  await pair.stop(soon());
  await site.remove();
});

function overrides(): { primary: Record<string, string>; standby: Record<string, string> } {
  const { primary, standby } = site.options.overrides ?? {};
  return { primary: { ...primary, ...forgetful }, standby: { ...standby } };
}

/** Resolves when the standby has been rebuilt for a reason that matches, and follows again. */
async function isRebuilt(reason: RegExp): Promise<void> {
  const why = (): string | undefined => site.lines.slice(heard).find((line) => line.includes('rebuilding the standby'));
  await eventually(() => why() !== undefined);
  assert.match(why() ?? '', reason);
  await replicates(pair, 'kept');
  heard = site.lines.length;
}

async function loseWal(): Promise<void> {
  await withPrimary({ ...site.options, overrides: overrides() }, soon(), async (primary) =>
    withSession(primary, async (client) => {
      await client.query('insert into kept values (default)');
      for (let segment = 0; segment < 6; segment += 1)
        await client.query('select pg_switch_wal(), pg_logical_emit_message(false, $1, $1)', ['x']);
      await client.query('checkpoint');
    }),
  );
}

test('a standby whose WAL was removed is rebuilt from the primary, and the log has the reason', async () => {
  await pair.stop(soon());
  await loseWal();
  pair = site.pair({ overrides: overrides() });
  await pair.start(soon());
  await isRebuilt(/no longer has the WAL/);
});

test('a standby whose slot was dropped during service is rebuilt, and the log has its message', async () => {
  // The standby reconnects at once and takes the slot again, so both are repeated until it works.
  await eventually(async () => {
    await ask(pair, 'write', 'select pg_terminate_backend(active_pid) from pg_replication_slots where active');
    await ask(pair, 'write', 'select pg_drop_replication_slot(slot_name) from pg_replication_slots');
    return (await ask(pair, 'write', 'select 1 from pg_replication_slots')).length === 0;
  });
  await isRebuilt(/replication slot .* does not exist/);
});

test('a standby that cannot start is rebuilt, and the log has its message', async () => {
  await pair.stop(soon());
  await rm(join(site.options.dataDir, 'standby', 'global', 'pg_control'));
  pair = site.pair({ overrides: overrides() });
  await pair.start(soon());
  await isRebuilt(/ends repeatedly.*pg_control/);
});

test('a missing standby is built', async () => {
  await pair.stop(soon());
  await rm(join(site.options.dataDir, 'standby'), { recursive: true });
  pair = site.pair({ overrides: overrides() });
  await pair.start(soon());
  await isRebuilt(/there is none/);
});
