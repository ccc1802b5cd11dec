import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Finding } from '../doctor/finding.ts';
import { eventually } from '../embedded/test-pair.ts';
import { readReport, usePatient, worstLine, type Environment } from './test-doctor.ts';

/** Archiving is turned on at a start only; /bin/true archives at once. */
const patient = usePatient({ archive_mode: 'on', archive_command: '/bin/true' });

/** A role of the operator with missing rights; both servers are checked with it. */
async function become(role: string, ...grants: readonly string[]): Promise<Environment> {
  const { ask, repair, run } = patient();
  repair(async () => run('write', `drop owned by ${role}`).then(async () => run('write', `drop role ${role}`)));
  await run('write', `create role ${role} login in role pg_monitor`);
  for (const grant of grants) await run('write', grant);
  await eventually(async () => (await ask('read', `select 1 from pg_roles where rolname = '${role}'`)).length === 1);
  return { DB_WRITE_USER: role, DB_READ_USER: role };
}

test('commits that wait for more standbys than stream are a failure, also with one of two', async () => {
  const { lineOf, sees, set } = patient();
  await set('write', 'synchronous_standby_names', 'ANY 1 (*)');
  await eventually(async () => (await lineOf('synchronous standbys')).status === 'ok');
  for (const names of ['ANY 2 (*)', 'FIRST 2 (messenger_standby, other)', '2 (*)']) {
    await set('write', 'synchronous_standby_names', names);
    await sees('synchronous standbys', 'fail', /^commits wait for 2 standbys, and 1 is there$/u);
  }
  const { advice } = await lineOf('synchronous standbys');
  assert.match(advice ?? '', /alter system set synchronous_standby_names = ''; select pg_reload_conf\(\)/u);
});

test('DURABILITY=standby with a primary that waits for none is a failure, with the remedy', async () => {
  const { lineOf, sees, set } = patient();
  const env = { DURABILITY: 'standby' };
  await sees('synchronous standbys', 'fail', /^DURABILITY is standby, and commits do not wait/u, 'primary', env);
  const { advice = '' } = await lineOf('synchronous standbys', 'primary', env);
  assert.match(advice, /alter system set synchronous_standby_names = 'ANY 1 \(\*\)'; select pg_reload_conf\(\)/u);
  await set('write', 'synchronous_standby_names', 'ANY 1 (*)');
  await eventually(async () => (await lineOf('synchronous standbys', 'primary', env)).status === 'ok');
});

test('a failing or empty archive command is a failure, with the segment', async () => {
  const { lineOf, run, sees, set } = patient();
  await sees('archiving', 'ok', /^on$|^up to /u);
  await set('write', 'archive_command', '/bin/false # secret');
  await run('write', "select pg_switch_wal() from (select pg_logical_emit_message(false, 'test', 'x')) as one");
  await eventually(async () => (await lineOf('archiving')).status === 'fail');
  await sees('archiving', 'fail', /^0000[0-9A-F]{20} was not archived, [1-9]\d* attempts failed$/u);
  assert.doesNotMatch(JSON.stringify(await lineOf('archiving')), /secret/u);
  await set('write', 'archive_command', '');
  await sees('archiving', 'fail', /^archive_mode is on, and archive_command is empty$/u);
});

test('an unlogged table is a failure', async () => {
  const { run, repair, sees } = patient();
  await sees('unlogged tables', 'ok', /^none$/u);
  repair(async () => run('write', 'alter table users set logged'));
  await run('write', 'alter table users set unlogged');
  await sees('unlogged tables', 'fail', /^users$/u);
});

const onAllTables = 'grant all on all tables in schema public to';

test('missing rights on our tables are reported with the grant that fixes them', async () => {
  const { ask, run, sees, lineOf } = patient();
  const env = await become('reader', `${onAllTables} reader`, 'revoke insert, update, delete on users from reader');
  await sees('rights', 'fail', /^reader has no insert, update, delete on public\.users$/u, 'primary', env);
  await eventually(async () => (await lineOf('rights', 'standby', env)).status === 'ok');
  const { advice = '' } = await lineOf('rights', 'primary', env);
  await run('write', advice.replace('On the primary: ', '').replace(/\.$/u, ''));
  await sees('rights', 'ok', /^select, insert, update, delete/u, 'primary', env);
  await run('write', 'revoke select on users from reader');
  await eventually(
    async () => (await ask('read', "select has_table_privilege('reader', 'users', 'select')"))[0] === false,
  );
  await sees('rights', 'fail', /^reader has no select on public\.users$/u, 'standby', env);
});

test('sequences of our columns and row security are checked', async () => {
  const { repair, run, sees } = patient();
  const env = await become('writer', `${onAllTables} writer`);
  repair(async () => run('write', 'alter table users drop column number'));
  await run('write', 'alter table users add column number serial');
  await sees('rights', 'fail', /^writer has no usage on public\.users_number_seq$/u, 'primary', env);
  await run('write', 'grant usage on sequence users_number_seq to writer');
  await sees('rights', 'ok', /./u, 'primary', env);
  repair(async () => run('write', 'alter table users disable row level security'));
  await run('write', 'alter table users enable row level security');
  await sees('rights', 'fail', /^row security hides rows of users from our role$/u, 'primary', env);
});

/** Advice that would create the tables again. */
function assertNoHarm(findings: readonly Finding[]): void {
  const advised = findings.map(({ advice = '' }) => advice).join('\n');
  assert.doesNotMatch(advised, /migrate up|create (?:unique )?index/u);
}

test('a schema without usage rights is reported, without missing indexes and migrations', async () => {
  const { environment, repair, run } = patient();
  const env = await become('outsider', `${onAllTables} outsider`);
  repair(async () => run('write', 'grant usage on schema public to public'));
  await run('write', 'revoke usage on schema public from public');
  const findings = await readReport({ ...environment(), ...env });
  const line = worstLine(findings, 'search path', 'primary');
  assert.deepEqual([line.status, line.found], ['fail', 'the tables are in public, which our role may not use']);
  assert.equal(line.advice, 'On the primary: grant usage on schema public to outsider.');
  assertNoHarm(findings);
});

test('a search path of the role does not matter', async () => {
  const { environment, repair, run } = patient();
  repair(async () => run('write', 'drop schema shadow cascade'));
  await run('write', 'create schema shadow create table users (id uuid primary key)');
  const env = await become('shadowed', `${onAllTables} shadowed`, 'grant usage on schema shadow to shadowed');
  await run('write', 'alter role shadowed set search_path = shadow, public');
  const line = worstLine(await readReport({ ...environment(), ...env }), 'search path', 'primary');
  assert.deepEqual([line.status, line.found], ['ok', 'the tables are in public']);
});

test('tables in another schema are reported with the statement that moves them back, without advice to migrate', async () => {
  const { ask, environment, repair, run } = patient();
  repair(async () => run('write', 'drop schema elsewhere'));
  await run('write', 'create schema elsewhere authorization messenger_app');
  for (const table of await ask('write', "select tablename from pg_tables where schemaname = 'public'")) {
    repair(async () => run('write', `alter table elsewhere.${String(table)} set schema public`));
    await run('write', `alter table ${String(table)} set schema elsewhere`);
  }
  const findings = await readReport(environment());
  const line = worstLine(findings, 'search path', 'primary');
  assert.equal(line.found, 'the tables are in elsewhere, and Messenger uses public');
  assert.match(line.advice ?? '', /alter table elsewhere\.users set schema public/u);
  assertNoHarm(findings);
});

test("the advice for a role's setting is `alter role`, because `alter system` has no effect", async () => {
  const { lineOf, run } = patient();
  const env = await become('hasty');
  await run('write', "alter role hasty in database messenger set work_mem = '64kB'");
  const { status, advice = '' } = await lineOf('settings', 'primary', env);
  assert.equal(status, 'warn');
  assert.match(advice, /alter role hasty in database messenger reset work_mem/u);
  assert.doesNotMatch(advice, /alter system/u);
});
