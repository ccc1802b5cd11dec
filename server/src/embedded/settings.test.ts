import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pgHbaConf, postgresSettings, renderPostgresConf, settingsFor } from './settings.ts';

const socketDir = '/data/run';

test("the tuning table is exactly the guide's, so deployments can be checked against it", () => {
  assert.deepEqual(postgresSettings.tuning, {
    both: { max_connections: '500', shared_buffers: '256MB', work_mem: '16MB', effective_cache_size: '512MB' },
    primary: { checkpoint_completion_target: '0.9', idle_in_transaction_session_timeout: '30000' },
    standby: { random_page_cost: '1.1' },
  });
});

test("the primary has the tuning guide's settings, and acknowledges commits when they are on disk", () => {
  const settings = settingsFor('primary', { synchronousCommit: 'on', tuning: 'on', socketDir });
  const guide = {
    max_connections: '500',
    shared_buffers: '256MB',
    work_mem: '16MB',
    effective_cache_size: '512MB',
    checkpoint_completion_target: '0.9',
    idle_in_transaction_session_timeout: '30000',
    synchronous_commit: 'on',
  };
  assert.deepEqual({ ...settings, ...guide }, settings);
  assert.equal(settings['primary_conninfo'], undefined);
});

test("the standby has the tuning guide's settings, and can hold back neither WAL nor vacuum without limit", () => {
  const settings = settingsFor('standby', { synchronousCommit: 'on', tuning: 'on', socketDir });
  assert.deepEqual(
    { ...settings, max_connections: '500', random_page_cost: '1.1', hot_standby_feedback: 'on' },
    settings,
  );
  assert.equal(settings['max_slot_wal_keep_size'], '1GB');
});

test('the two servers differ only in names, ports and primary: either may be the primary', () => {
  const options = { synchronousCommit: 'on', tuning: 'on', socketDir } as const;
  const [primary, standby] = (['primary', 'standby'] as const).map((role) => settingsFor(role, options));
  const names = Object.keys({ ...primary, ...standby });
  assert.deepEqual(names.filter((name) => primary?.[name] !== standby?.[name]).toSorted(), [
    'cluster_name',
    'port',
    'primary_conninfo',
  ]);
});

test('vacuum checks for work every second, and learns within a second which rows the standby no longer reads', () => {
  const options = { synchronousCommit: 'on', tuning: 'on', socketDir } as const;
  assert.equal(settingsFor('primary', options)['autovacuum_naptime'], '1s');
  assert.equal(settingsFor('standby', options)['wal_receiver_status_interval'], '1s');
});

test('the profile determines synchronous_commit', () => {
  assert.equal(
    settingsFor('primary', { synchronousCommit: 'off', tuning: 'on', socketDir })['synchronous_commit'],
    'off',
  );
});

test('the two servers have different sockets in one folder, and no TCP port', () => {
  const primary = settingsFor('primary', { synchronousCommit: 'on', tuning: 'on', socketDir });
  const standby = settingsFor('standby', { synchronousCommit: 'on', tuning: 'on', socketDir });
  assert.notEqual(primary['port'], standby['port']);
  assert.deepEqual([primary['listen_addresses'], standby['listen_addresses']], ['', '']);
  assert.ok(standby['primary_conninfo']?.includes(`port=${primary['port']} `));
  assert.doesNotMatch(pgHbaConf, /^host/m);
});

test('a folder with quotes, spaces and backslashes reaches PostgreSQL unchanged', () => {
  const odd = String.raw`/it's "my" \data`;
  const conf = renderPostgresConf(settingsFor('standby', { synchronousCommit: 'on', tuning: 'on', socketDir: odd }));
  assert.ok(conf.includes(String.raw`unix_socket_directories = '"/it''s ""my"" \\data"'`), conf);
  assert.ok(conf.includes(String.raw`primary_conninfo = 'host=''/it\\''s "my" \\\\data'' port=5432`), conf);
});

test('the file is marked as generated', () => {
  assert.match(renderPostgresConf({ work_mem: '16MB' }), /^# Generated .*\nwork_mem = '16MB'\n$/);
});
