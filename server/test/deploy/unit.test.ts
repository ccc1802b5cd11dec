/** deploy/messenger.service, parsed as by systemd. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { exitCodes } from '../../src/commands/io.ts';
import { optionTable } from '../../src/config.ts';
import { loadConfig } from '../../src/load-config.ts';
import { exists, read, root } from './files.ts';

const lines = read('deploy/messenger.service')
  .split('\n')
  .filter((line) => /^\w+=/u.test(line))
  .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const);

function valuesOf(name: string): string[] {
  return lines.filter(([key]) => key === name).map(([, value]) => value);
}

test('the unit starts the launcher of this repository, with a dynamic user', () => {
  const [node = '', launcher = '', command] = (valuesOf('ExecStart')[0] ?? '').split(' ');
  assert.equal(node, '/opt/messenger/node_modules/.bin/node');
  assert.ok(exists(launcher.replace('/opt/messenger/', '')), launcher);
  assert.equal(command, 'start');
  assert.deepEqual(valuesOf('DynamicUser'), ['yes']);
});

test('the stop time-out covers the drain and the steps after it', () => {
  assert.ok(Number(valuesOf('TimeoutStopSec')[0]) * 1_000 >= optionTable.server.shutdownTimeoutMs.default + 10_000);
  assert.deepEqual(valuesOf('KillMode'), ['mixed'], 'only the supervisor stops the workers');
});

test('a failure causes a restart, unless it would repeat', () => {
  const { usage, config } = exitCodes;
  assert.deepEqual(valuesOf('RestartPreventExitStatus'), [`${usage} ${config}`]);
});

test('every variable is an option, and every secret is a credential', () => {
  const assignments = valuesOf('Environment')
    .flatMap((line) => line.split(' '))
    .map((assignment) => {
      const [name = '', value = ''] = assignment.split('=');
      return [name, value] as const;
    });
  const credentials = new Set(valuesOf('LoadCredential').map((line) => line.split(':')[0]));
  const files = assignments.filter(([name]) => name.endsWith('_FILE'));
  assert.equal(files.length, 3);
  for (const [name, path] of files) assert.ok(credentials.has(path.replace('%d/', '')), name);
  const ours = assignments.filter(([name]) => !name.startsWith('NODE_'));
  const host = { DB_WRITE_HOST: 'h', DB_READ_HOST: 'h' };
  const env = { ...host, ...Object.fromEntries(ours.map(([name, value]) => [name.replace(/_FILE$/u, ''), value])) };
  assert.equal(loadConfig({ flags: {}, env, file: undefined }).config.log.format, 'json');
});

test('it may open a file for each connection', () => {
  assert.ok(Number(valuesOf('LimitNOFILE')[0]) > optionTable.server.maxConnections.default);
});

test('the installation of the operations guide includes the Node that the unit starts', () => {
  const install = /`(?<command>npm ci[^`]*)` there/u.exec(read('docs/operations.md'))?.groups?.['command'];
  assert.equal(install, 'npm ci --omit=dev');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- npm's own format, version 3.
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { readonly dev?: boolean; readonly bin?: Readonly<Record<string, string>> }>;
  };
  const bringers = Object.entries(packages).filter(
    ([path, { bin, dev }]) => /^node_modules\/[^/]+$/u.test(path) && bin?.['node'] !== undefined && dev !== true,
  );
  assert.deepEqual(
    bringers.map(([path]) => path),
    ['bin-darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64'].map((name) => `node_modules/node-${name}`),
  );
});

const analyzer = '/usr/bin/systemd-analyze';
const noSystemd = !existsSync(analyzer) && `there is no ${analyzer}`;

test('systemd accepts every line, with the project in this folder', { skip: noSystemd }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'messenger-unit-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const unit = join(folder, 'messenger.service');
  /** It also loads units that ours depends on: only its messages about ours count. */
  const complaintsOf = (text: string): string[] => {
    writeFileSync(unit, text.replaceAll('/opt/messenger', root));
    const { stderr } = spawnSync(analyzer, ['verify', '--man=no', unit], { encoding: 'utf8' });
    return stderr.split('\n').filter((line) => line.includes('messenger.service'));
  };
  const text = read('deploy/messenger.service');
  assert.deepEqual(complaintsOf(text), []);
  for (const name of ['messenger-backup.service', 'messenger-backup.timer']) {
    writeFileSync(join(folder, name), read(`deploy/${name}`).replaceAll('/opt/messenger', root));
    const { stderr } = spawnSync(analyzer, ['verify', '--man=no', join(folder, name)], { encoding: 'utf8' });
    assert.doesNotMatch(stderr, /messenger-backup/u);
  }
  assert.match(complaintsOf(text.replace('ProtectClock=', 'ProtectClok=')).join(), /Unknown key .*ProtectClok/u);
  assert.match(complaintsOf(text.replace('.bin/node ', '.bin/nod ')).join(), /is not executable/u);
});

test('systemd rates the exposure of the unit as at most 2 of 10', { skip: noSystemd }, () => {
  const rate = (unit: string): ReturnType<typeof spawnSync> =>
    spawnSync(analyzer, ['security', '--offline=true', '--threshold=20', unit], { encoding: 'utf8' });
  const unit = join(root, 'deploy/messenger.service');
  const { status, stdout, stderr } = rate(unit);
  assert.equal(status, 0, `${String(stdout)}${String(stderr)}`);
  const folder = mkdtempSync(join(tmpdir(), 'messenger-unit-'));
  const open = join(folder, 'messenger.service');
  writeFileSync(
    open,
    read('deploy/messenger.service').replaceAll(/^(?:CapabilityBoundingSet|ProtectSystem|PrivateDevices)=.*$/gmu, ''),
  );
  assert.notEqual(rate(open).status, 0);
  rmSync(folder, { recursive: true });
});
