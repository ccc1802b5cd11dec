import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { roles } from '../src/embedded/settings.ts';
import { SteadyLoad } from './chaos/steady-load.ts';
import { withSystem, type System } from './chaos/system.ts';
import { run, useServers, workersOf, type Run } from './start-server.ts';
import { waitFor } from './wait-for.ts';

const servers = useServers();
/** A role has one password, so a change without a failed connection goes from one role to another. */
const [firstRole, secondRole] = ['reload_first', 'reload_second'];

/** Lets a role in by its password alone, as an operator's servers do. */
async function askForPassword(system: System): Promise<void> {
  for (const [name, kind] of [
    ['primary', 'write'],
    ['standby', 'read'],
  ] as const) {
    const file = join(system.dataDir, name, 'pg_hba.conf');
    await writeFile(file, `local all ${firstRole},${secondRole} scram-sha-256\n${await readFile(file, 'utf8')}`);
    await system.sql(kind, 'select pg_reload_conf()');
  }
  for (const [name, password] of [
    [firstRole, 'first'],
    [secondRole, 'second'],
  ])
    await system.sql('write', `create role ${name} login password '${password}' in role ${roles.application}`);
  await system.replicated();
}

function configuration(user: string, server: string): string {
  return `write_db: {user: ${user}}\nread_db: {user: ${user}}\nserver: {${server}}\n`;
}

interface Reloadable {
  readonly server: Run;
  /** Runs `messenger reload`. Resolves with its exit code and all that it says. */
  readonly reload: () => Promise<{ readonly code: number | string; readonly text: string }>;
  readonly configure: (yaml: string) => Promise<void>;
  readonly setPassword: (password: string) => Promise<void>;
}

/** A server on the databases of a system, with a password file, a configuration file and a run folder. */
async function start(system: System): Promise<Reloadable> {
  const folder = await servers.folder();
  const [yaml, secret] = [join(folder, 'messenger.yaml'), join(folder, 'password')];
  const configure = async (text: string): Promise<void> => writeFile(yaml, text);
  const setPassword = async (password: string): Promise<void> => writeFile(secret, password);
  await configure(configuration(firstRole, 'max_queue_ms: 5000'));
  await setPassword('first');
  const { write, read } = { write: await system.endpoint('write'), read: await system.endpoint('read') };
  const env: Record<string, string> = { MESSENGER_RUN_DIR: join(folder, 'run'), MESSENGER_CONFIG: yaml };
  for (const [name, { host, port, database }] of [
    ['WRITE', write],
    ['READ', read],
  ] as const)
    Object.assign(env, {
      [`DB_${name}_HOST`]: host,
      [`DB_${name}_PORT`]: String(port),
      [`DB_${name}_NAME`]: database,
      [`DB_${name}_PASSWORD_FILE`]: secret,
    });
  const reload = async (): ReturnType<Reloadable['reload']> => {
    const command = await run({ args: ['reload'], env: { MESSENGER_RUN_DIR: join(folder, 'run') } });
    const code = await command.ended();
    return { code, text: `${command.stdout}${command.stderr}` };
  };
  return { server: await servers.start('/nonexistent', { env }), reload, configure, setPassword };
}

test('a reload takes a new role, password and options without a failed request; a bad one changes nothing', async () => {
  await withSystem(async (system) => {
    await askForPassword(system);
    const { server, reload, configure, setPassword } = await start(system);
    const load = new SteadyLoad({ url: server.url, clients: 20, perSecond: 100 });
    await waitFor('load', () => load.answerTimesMs.length > 100, 30_000);
    const first = new Set(workersOf(server.pid));

    await configure(configuration(firstRole, 'max_queue_ms: often'));
    const bad = await reload();
    assert.equal(bad.code, 1);
    assert.match(bad.text, /server\.max_queue_ms: must be a whole number/u);
    await configure(configuration(firstRole, 'host: 127.0.0.2'));
    assert.deepEqual(await reload(), {
      code: 1,
      text: 'HOST cannot change while the server runs; restart it, or change it back.\n',
    });
    await configure(configuration(firstRole, 'max_queue_ms: 5000'));
    await setPassword('wrong');
    const refused = await reload();
    assert.equal(refused.code, 1);
    assert.match(refused.text, /password authentication failed/u);
    assert.deepEqual(new Set(workersOf(server.pid)), first);

    await setPassword('second');
    await configure(configuration(secondRole, 'max_queue_ms: 5000, max_body_bytes: 2048'));
    assert.deepEqual(await reload(), {
      code: 0,
      text: 'Reloaded; changed: MAX_BODY_BYTES, DB_WRITE_USER, DB_WRITE_PASSWORD, DB_READ_USER, DB_READ_PASSWORD\n',
    });
    assert.ok(workersOf(server.pid).every((pid) => !first.has(pid)));
    const large = await fetch(`${server.url}/api/v1/users`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ first_name: 'x'.repeat(3_000), last_name: 'x' }),
    });
    assert.equal(large.status, 413);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    assert.match(metrics, /^messenger_postgres_up\{server="primary"[^}]*\} 1$/mu);
    server.kill('SIGHUP');
    await waitFor(
      'a reload by signal',
      () => server.stderr.split('the configuration was reloaded').length === 3,
      30_000,
    );
    await load.end();
    assert.deepEqual(load.failures, []);
    assert.doesNotMatch(server.stderr, /"(?:first|second|wrong)"/u);
  });
});
