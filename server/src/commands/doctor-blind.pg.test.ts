import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../embedded/test-pair.ts';
import { readReport, usePatient, worstLine } from './test-doctor.ts';

const patient = usePatient({});

/** A role of the operator who grants what the server needs, and no more; both servers are asked as it. */
async function becomeBlind(): Promise<Readonly<Record<string, string>>> {
  const { ask, repair, run } = patient();
  repair(async () => run('write', 'drop owned by blind').then(async () => run('write', 'drop role blind')));
  await run('write', 'create role blind login');
  await run('write', 'grant select on all tables in schema public to blind');
  await eventually(async () => (await ask('read', "select 1 from pg_roles where rolname = 'blind'")).length === 1);
  return { DB_WRITE_USER: 'blind', DB_READ_USER: 'blind' };
}

test('to a role without pg_monitor nothing is wrong that it only cannot see, and what it lacks is told', async () => {
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

test('a role without pg_monitor sees, too, that nobody is there', async () => {
  const { hold, set, sees } = patient();
  const env = await becomeBlind();
  await set('write', 'synchronous_standby_names', 'somebody');
  await set('read', 'primary_conninfo', '');
  await sees('replication', 'fail', /^not streaming \(no receiver\)$/u, 'standby', env);
  await sees('synchronous standbys', 'fail', /none is there$/u, 'primary', env);
  for (let open = 0; open < 5; open += 1) await hold('write', 'select 1');
  await sees('connections by state', 'ok', /\bhidden [5-9]/u, 'primary', env);
});
