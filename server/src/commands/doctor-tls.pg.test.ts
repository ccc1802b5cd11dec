import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { findBinaries } from '../embedded/binaries.ts';
import { makeUnfinished, writeConfiguration } from '../embedded/cluster-files.ts';
import { type PostgresProcess, startPostgres } from '../embedded/postgres-process.ts';
import { renderPostgresConf, roles, settingsFor } from '../embedded/settings.ts';
import { eventually, makeTestSite, soon, type TestSite } from '../embedded/test-pair.ts';
import { askAt, readReport, worstLine, type Environment } from './test-doctor.ts';
import { findPort } from '../process/port.ts';

const run = promisify(execFile);
const openssl = await run('openssl', ['version']).then(
  () => undefined,
  () => 'this test makes certificates with the program openssl',
);

let site: TestSite;
let server: PostgresProcess | undefined;
let folder: string;
let env: Environment;
let sockets: string;

before(async () => {
  if (openssl !== undefined) return;
  site = await makeTestSite();
  folder = dirname(site.options.dataDir);
  sockets = folder;
  await makeCertificate(10);
  const dir = await makeUnfinished(join(folder, 'tls'));
  const binaries = await findBinaries(undefined);
  await run(binaries.initdb, ['-D', dir, '--no-sync', `--username=${roles.superuser}`]);
  const port = await findPort('127.0.0.1', 0);
  const hba = join(folder, 'pg_hba.conf');
  await writeFile(hba, 'local all all trust\nhostssl all all 127.0.0.1/32 trust\n');
  const overrides = {
    ...site.options.overrides?.primary,
    port: String(port),
    listen_addresses: '127.0.0.1',
    ssl: 'on',
    ssl_cert_file: join(folder, 'server.crt'),
    ssl_key_file: join(folder, 'server.key'),
    hba_file: hba,
  };
  const settings = settingsFor('primary', { synchronousCommit: 'on', tuning: 'on', socketDir: sockets, overrides });
  await writeConfiguration(dir, renderPostgresConf(settings));
  server = await startPostgres({ role: 'primary', dir, binaries, log: site.options.log }, soon());
  env = {
    DB_WRITE_HOST: '127.0.0.1',
    DB_WRITE_PORT: String(port),
    DB_WRITE_USER: roles.superuser,
    DB_WRITE_NAME: 'postgres',
  };
});
after(async () => {
  if (openssl !== undefined) return;
  await server?.stop(soon());
  await site.remove();
});

/** A self-signed certificate for 127.0.0.1. */
async function makeCertificate(days: number): Promise<void> {
  const files = ['-keyout', join(folder, 'server.key'), '-out', join(folder, 'server.crt')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days)];
  await run('openssl', ['req', ...kind, ...files, '-subj', '/CN=db', '-addext', 'subjectAltName=IP:127.0.0.1']);
  await chmod(join(folder, 'server.key'), 0o600);
}

test('a certificate that expires soon is reported, and a renewed one is ok', { skip: openssl ?? false }, async () => {
  const checked = { ...env, DB_WRITE_TLS: 'verify-full', DB_WRITE_TLS_CA: join(folder, 'server.crt') };
  for (const mode of [{ ...env, DB_WRITE_TLS: 'require' }, checked]) {
    const findings = await readReport(mode);
    assert.match(worstLine(findings, 'encryption').found, /^TLSv1\.\d/u);
    const line = worstLine(findings, 'certificate');
    assert.deepEqual([line.status, line.found], ['warn', 'valid for 9 days']);
  }
  await makeCertificate(365);
  await askAt(
    { host: sockets, port: Number(env['DB_WRITE_PORT']), user: roles.superuser, database: 'postgres' },
    'select pg_reload_conf()',
  );
  await eventually(async () => {
    return worstLine(await readReport(checked), 'certificate').found === 'valid for 364 days';
  });
});
