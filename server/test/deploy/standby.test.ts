/**
 * deploy/postgres/standby.sh, run for real; only pg_basebackup and the image's entry are replaced by scripts that
 * record their arguments.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import { root } from './files.ts';

let folder = '';
let data = '';

/** Records its arguments, creates what the real one creates, and fails on demand. */
const basebackup = `#!/bin/bash
printf '%s\\n' "$@" > "$CALLS/pg_basebackup"
for argument; do case $argument in --pgdata=*) to=\${argument#--pgdata=} ;; esac; done
echo half > "$to/half"
[ -z "\${BACKUP_FAILS:-}" ] || exit 1
echo 18 > "$to/PG_VERSION"
`;
const entry = `#!/bin/bash
printf '%s\\n' "$@" > "$CALLS/entry"
`;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'messenger-standby-'));
  data = join(folder, 'volume/18/docker');
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'volume'));
  writeFileSync(join(folder, 'bin/pg_basebackup'), basebackup, { mode: 0o755 });
  writeFileSync(join(folder, 'bin/docker-entrypoint.sh'), entry, { mode: 0o755 });
  writeFileSync(join(folder, 'secret'), 'pass:word\\\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function start(env: Readonly<Record<string, string>> = {}): number | null {
  const { status } = spawnSync('bash', [join(root, 'deploy/postgres/standby.sh'), 'postgres', '-c', 'work_mem=16MB'], {
    env: {
      PATH: `${join(folder, 'bin')}:/usr/bin:/bin`,
      CALLS: folder,
      PGDATA: data,
      PRIMARY_HOST: 'primary',
      REPLICATION_PASSWORD_FILE: join(folder, 'secret'),
      ...env,
    },
  });
  return status;
}

const called = (program: string): string[] | undefined => {
  const file = join(folder, program);
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : undefined;
};

test('an empty volume gets a copy of the primary, and the server starts on it with its settings', () => {
  assert.equal(start(), 0);
  const call = called('pg_basebackup')?.join(' ') ?? '';
  for (const part of ['--slot=messenger_standby', '--write-recovery-conf', 'host=primary', 'user=replicator'])
    assert.ok(call.includes(part), part);
  assert.doesNotMatch(call, /pass:word/u, 'a command line is seen by everybody');
  assert.ok(existsSync(join(data, 'PG_VERSION')));
  assert.equal(existsSync(`${data}.unfinished`), false);
  assert.deepEqual(called('entry'), ['postgres', '-c', 'work_mem=16MB']);
});

test('the password is in a passfile of libpq, written at each start', () => {
  const file = join(folder, 'volume/.pgpass');
  start();
  assert.equal(readFileSync(file, 'utf8'), '*:*:*:replicator:pass\\:word\\\\\n');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  writeFileSync(join(folder, 'secret'), 'another');
  start();
  assert.equal(readFileSync(file, 'utf8'), '*:*:*:replicator:another\n');
});

test('an existing copy is kept', () => {
  start();
  rmSync(join(folder, 'pg_basebackup'));
  assert.equal(start(), 0);
  assert.equal(called('pg_basebackup'), undefined);
});

test('nothing starts on an incomplete copy, and the next start replaces it', () => {
  assert.equal(start({ BACKUP_FAILS: 'yes' }), 1);
  assert.equal(called('entry'), undefined);
  assert.equal(existsSync(data), false);
  assert.equal(start(), 0);
  assert.ok(existsSync(join(data, 'PG_VERSION')));
});
