import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../embedded/test-pair.ts';
import { readReport, usePatient, worstLine, type Environment } from './test-doctor.ts';

/** 27 of them are for ordinary roles. */
const patient = usePatient({
  max_connections: '30',
  superuser_reserved_connections: '2',
  reserved_connections: '1',
});

/** A role with only the required rights; both servers are checked with it. */
async function becomeBlind(): Promise<Environment> {
  const { ask, repair, run } = patient();
  repair(async () => run('write', 'drop owned by blind').then(async () => run('write', 'drop role blind')));
  await run('write', 'create role blind login');
  await run('write', 'grant select, insert, update, delete on all tables in schema public to blind');
  await eventually(async () => (await ask('read', "select 1 from pg_roles where rolname = 'blind'")).length === 1);
  return { DB_WRITE_USER: 'blind', DB_READ_USER: 'blind' };
}

test('for a role without pg_monitor, invisible values are no failures, and the missing right is reported', async () => {
  const { ask, environment, set } = patient();
  const env = { ...environment(), ...(await becomeBlind()) };
  await set('write', 'synchronous_standby_names', '*');
  const confirming = "select 1 from pg_stat_replication where sync_state = 'sync'";
  await eventually(async () => (await ask('write', confirming)).length === 1);
  const findings = await readReport(env);
  assert.deepEqual(
    findings.filter(({ status }) => status === 'fail'),
    [],
  );
  for (const [check, where] of [
    ['replication', 'standby'],
    ['synchronous standbys', 'primary'],
  ] as const) {
    const { status, found, advice } = worstLine(findings, check, where);
    assert.equal(status, 'warn', found);
    assert.match(found, /hidden from our role/u);
    assert.match(advice ?? '', /grant pg_monitor to blind/u);
  }
});

test('a role without pg_monitor can detect missing standbys', async () => {
  const { hold, set, sees } = patient();
  const env = await becomeBlind();
  await set('write', 'synchronous_standby_names', 'somebody');
  await set('read', 'primary_conninfo', '');
  await sees('replication', 'fail', /^not streaming \(no receiver\)$/u, 'standby', env);
  await sees('synchronous standbys', 'fail', /none is there$/u, 'primary', env);
  for (let open = 0; open < 5; open += 1) await hold('write', 'select 1');
  await sees('connections by state', 'ok', /\bhidden [5-9]/u, 'primary', env);
});

test('a standby that follows no server, or cannot, is a failure with the remedy', async () => {
  const { lineOf, sees, set } = patient();
  await set('read', 'primary_conninfo', '');
  await eventually(async () => (await lineOf('replication', 'standby')).status === 'fail');
  await sees('replication', 'fail', /^not streaming \(no receiver\)$/u, 'standby');
  assert.match((await lineOf('replication', 'standby')).advice ?? '', /told to follow nobody/u);
  await set('read', 'primary_conninfo', 'host=/nonexistent');
  await sees('replication', 'fail', /^not streaming \(no receiver\)$/u, 'standby');
  assert.match((await lineOf('replication', 'standby')).advice ?? '', /the address or password in primary_conninfo/u);
});

/** Default pool sizes, which the start shrinks: `patient` has room for ten per worker. */
function withDefaultPools(): Environment {
  const environment = Object.entries(patient().environment());
  return Object.fromEntries(environment.filter(([name]) => !name.endsWith('_CONNS')));
}

test('pools that the start shrinks are reported, and a role limit of the remaining size is ok', async () => {
  const { repair, run } = patient();
  for (const role of ['enough', 'scarce']) repair(async () => run('write', `drop role ${role}`));
  await run('write', 'create role enough login connection limit 8');
  await run('write', 'create role scarce login connection limit 7');
  const report = async (user: string) => readReport({ ...withDefaultPools(), DB_WRITE_USER: user });
  const findings = await report('enough');
  const limit = worstLine(findings, 'connection limits', 'primary');
  assert.deepEqual([limit.status, limit.found], ['ok', 'our role and the database allow 8, the workers may open 8']);
  const budget = worstLine(findings, 'pool budget');
  assert.equal(budget.status, 'warn');
  assert.match(budget.found, /the (?:write|read) pool shrinks from 100 to 8 connections a worker$/u);
  assert.match(budget.advice ?? '', /messenger tune/u);
  assert.equal(worstLine(await report('scarce'), 'connection limits', 'primary').status, 'fail');
});

test('sessions are reported by state, and many are a warning, then a failure', async () => {
  const { hold, sees } = patient();
  // The pair has its own session.
  await hold('write', 'begin; select 1');
  await hold('write', 'select 1');
  await hold('write', 'select 1');
  await sees('connections by state', 'ok', /^idle [23], idle in transaction 1$/u, 'primary');
  for (let open = 3; open < 22; open += 1) await hold('write', 'select 1');
  await sees('connections in use', 'warn', /^2[23] of 27$/u, 'primary');
});
