/** deploy/compose.yaml, without a Docker engine: static checks. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';

import { optionTable } from '../../src/config.ts';
import { loadConfig } from '../../src/load-config.ts';
import { sessionSettings } from '../../src/db/session.ts';
import { postgresSettings, slotName } from '../../src/embedded/settings.ts';
import { exists, read, readCompose, root, type Service } from './files.ts';

const compose = readCompose('deploy/compose.yaml');
const tuned = readCompose('deploy/tuned.yaml');
const pooled = readCompose('deploy/pgbouncer.yaml');
const serviceNames = Object.keys(compose.services);

function serviceOf(name: string): Service {
  const service = compose.services[name];
  assert(service !== undefined, name);
  return service;
}

/** A folder with the secrets of make-secrets.sh; removed after `use`. */
function withSecrets(use: (folder: string, make: () => void) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'messenger-secrets-'));
  try {
    cpSync(join(root, 'deploy/make-secrets.sh'), join(folder, 'make-secrets.sh'));
    const make = (): void => {
      const { status, stderr } = spawnSync('sh', [join(folder, 'make-secrets.sh')], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    };
    make();
    use(join(folder, 'secrets'), make);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the databases have every setting of the table in the code, with the values of `messenger tune`', () => {
  const { tuning, replication, flatLists } = postgresSettings;
  for (const role of ['primary', 'standby'] as const) {
    assert.deepEqual(serviceOf(role).extends, { file: 'tuned.yaml', service: role });
    assert.equal(serviceOf(role).command, undefined, 'the command is the tuned one');
    const names = new Set((tuned.services[role]?.command ?? []).map((argument) => argument.split('=')[0]));
    const wanted = Object.keys({ ...tuning.both, ...tuning.primary, ...tuning.standby, ...replication, ...flatLists });
    assert.deepEqual(
      wanted.filter((name) => !names.has(name)),
      [],
    );
    assert.equal(serviceOf(role).mem_limit, undefined, 'the limit is the memory that they are tuned for');
    assert.equal(tuned.services[role]?.mem_limit, '1gb');
  }
});

test('every file and secret that a service mounts exists, or make-secrets.sh creates it', () => {
  withSecrets((folder) => {
    assert.deepEqual(readdirSync(folder).toSorted(), Object.keys(compose.secrets ?? {}).toSorted());
  });
  for (const [name, { file }] of Object.entries(compose.secrets ?? {})) assert.equal(basename(file), name);
  for (const name of serviceNames) {
    const { secrets = [], volumes = [] } = serviceOf(name);
    for (const secret of secrets) assert.ok(secret in (compose.secrets ?? {}), `${name}: ${secret}`);
    for (const [source = ''] of volumes.map((volume) => volume.split(':'))) {
      const isThere = source.startsWith('./') ? exists(join('deploy', source)) : source in (compose.volumes ?? {});
      assert.ok(isThere, `${name}: ${source}`);
    }
  }
});

test('secrets are created once, hard to guess, in a private folder that git ignores', () => {
  withSecrets((folder, make) => {
    const contents = (): string[] => readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const first = contents();
    assert.equal(new Set(first).size, 5);
    for (const secret of first) assert.match(secret, /^[\w-]{32}\n$/u);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    make();
    assert.deepEqual(contents(), first);
  });
  const { status } = spawnSync('git', ['check-ignore', '-q', 'deploy/secrets/db_password'], { cwd: root });
  assert.ok(status === 0 || read('deploy/secrets/.gitignore').startsWith('*\n'));
});

test('Messenger accepts its environment, with and without PgBouncer, and it contains no password', () => {
  withSecrets((folder) => {
    for (const environment of [
      serviceOf('migrate').environment,
      { ...tuned.services['messenger']?.environment, ...serviceOf('messenger').environment },
      {
        ...tuned.services['messenger']?.environment,
        ...serviceOf('messenger').environment,
        ...pooled.services['messenger']?.environment,
      },
    ]) {
      const env = Object.fromEntries(
        Object.entries(environment ?? {}).map(([name, value]) => [name, String(value).replace('/run/secrets', folder)]),
      );
      assert.deepEqual(
        Object.keys(env).filter((name) => /PASSWORD$|TOKEN$/u.test(name)),
        [],
      );
      const { config } = loadConfig({ flags: {}, env, file: undefined });
      assert.equal(`${config.writeDb.password}\n`, readFileSync(join(folder, 'db_password'), 'utf8'));
    }
  });
});

test('the stop time-out covers the drain and the steps after it', () => {
  const grace = Number.parseInt(serviceOf('messenger').stop_grace_period ?? '', 10) * 1_000;
  assert.ok(grace >= optionTable.server.shutdownTimeoutMs.default + 10_000);
});

test('migrations run on the primary itself before the server starts', () => {
  assert.deepEqual(serviceOf('messenger').depends_on, {
    migrate: { condition: 'service_completed_successfully' },
    standby: { condition: 'service_healthy' },
  });
  assert.equal(serviceOf('migrate').environment?.['DB_WRITE_HOST'], 'primary');
  assert.equal(pooled.services['migrate'], undefined);
});

test('no port is open to other machines, and our services have read-only file systems', () => {
  for (const name of serviceNames)
    for (const port of serviceOf(name).ports ?? []) assert.match(port, /^127\.0\.0\.1:/u, name);
  for (const name of ['messenger', 'migrate', 'loadtest', 'pgbouncer'])
    assert.partialDeepStrictEqual(serviceOf(name), { read_only: true, cap_drop: ['ALL'] });
});

test('deploy/README.md explains each profile, each port, and the files that the unit reads', () => {
  const page = read('deploy/README.md');
  const profiles = serviceNames.flatMap((name) => serviceOf(name).profiles ?? []);
  const isTold = (profile: string): boolean =>
    page.includes(`--profile ${profile} up `) || page.includes(`docker compose up --build ${profile} `);
  assert.deepEqual(
    [...new Set(profiles)].filter((profile) => !isTold(profile)),
    [],
  );
  const ports = serviceNames.flatMap((name) => serviceOf(name).ports ?? []);
  for (const port of ports) assert.ok(page.includes(`http://${port.split(':').slice(0, 2).join(':')}`), port);
  for (const secret of ['metrics_token', 'grafana_password']) assert.ok(page.includes(`secrets/${secret}`), secret);
  const places = read('deploy/messenger.service').match(
    /\/opt\/messenger|\/var\/cache\/messenger|\/etc\/messenger\/[\w.]+/gu,
  );
  assert.equal(new Set(places).size, 5);
  assert.deepEqual(
    [...new Set(places)].filter((place) => !page.includes(place)),
    [],
  );
});

test('the standby uses the slot that the primary creates', () => {
  assert.ok(read('deploy/postgres/init/10-roles.sql').includes(`pg_create_physical_replication_slot('${slotName}'`));
  assert.ok(read('deploy/postgres/standby.sh').includes(`--slot=${slotName} `));
});

test('PgBouncer sets the deadlines of the sessions, and has the databases that Messenger uses', () => {
  const ini = read('deploy/pgbouncer/pgbouncer.ini');
  const entries = new Map(
    [...ini.matchAll(/^(?<name>\w+) = host=.*set statement_timeout = (?<ms>\d+);/gmu)].map(
      ({ groups }) => [groups?.['name'], Number(groups?.['ms'])] as const,
    ),
  );
  const { environment = {} } = pooled.services['messenger'] ?? {};
  assert.equal(entries.get(String(environment['DB_WRITE_NAME'])), optionTable.writeDb.timeoutMs.default);
  assert.equal(entries.get(String(environment['DB_READ_NAME'])), optionTable.readDb.timeoutMs.default);
  assert.equal(/^listen_port = (?<port>\d+)$/mu.exec(ini)?.groups?.['port'], String(environment['DB_WRITE_PORT']));
});

test('PgBouncer sets the startup parameters that it drops', () => {
  const ini = read('deploy/pgbouncer/pgbouncer.ini');
  const ignored = /^ignore_startup_parameters = (?<names>.*)$/mu.exec(ini)?.groups?.['names']?.split(',') ?? [];
  const queries = [...ini.matchAll(/connect_query='(?<query>.*)'$/gmu)].map(({ groups }) => groups?.['query'] ?? '');
  assert.equal(queries.length, 2);
  for (const [name, value] of Object.entries(sessionSettings({ synchronousCommit: 'on' }))) {
    if (name === 'TimeZone' || name === 'DateStyle') continue;
    assert.ok(ignored.includes(name), name);
    for (const query of queries) assert.match(query, new RegExp(`set ${name} = "?${value}"?(;|$)`, 'u'));
  }
});

const plugin = ['/usr/local/lib', '/usr/libexec', '/usr/lib']
  .map((place) => `${place}/docker/cli-plugins/docker-compose`)
  .find((path) => existsSync(path));
const skip = plugin === undefined && 'docker compose is not there: scripts/install-compose.sh, as root';

test('docker compose accepts every line, with each profile and with PgBouncer', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'messenger-compose-'));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(root, 'deploy'), folder, { recursive: true });
  const readBy = (...files: readonly string[]): { status: number | null; stderr: string } => {
    const named = files.flatMap((file) => ['-f', join(folder, file)]);
    return spawnSync(plugin ?? '', [...named, '--profile', '*', 'config', '--quiet'], { encoding: 'utf8' });
  };
  for (const files of [['compose.yaml'], ['compose.yaml', 'pgbouncer.yaml']]) {
    const { status, stderr } = readBy(...files);
    assert.equal(status, 0, stderr);
  }
  writeFileSync(join(folder, 'wrong.yaml'), read('deploy/compose.yaml').replace('sysctls:', 'sysctl:'));
  assert.match(readBy('wrong.yaml').stderr, /sysctl/u);
});
