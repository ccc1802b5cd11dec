import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';

import { migrateUp } from '../db/migrations.ts';
import { loadConfig } from '../load-config.ts';
import { createLog } from '../telemetry/log.ts';
import { migrationsDir } from '../prepare-databases.ts';
import { onPrimary } from './on-primary.ts';

test('Ctrl-C ends a migration whose server does not answer', async (t) => {
  const sockets: Socket[] = [];
  const frozen = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    frozen.close();
  });
  await once(frozen, 'listening');
  const address = frozen.address();
  assert(typeof address === 'object' && address !== null);
  const env = { DB_WRITE_HOST: '127.0.0.1', DB_WRITE_PORT: String(address.port) };
  const stopping = new AbortController();
  const log = createLog({ level: 'silent', name: 'test', pretty: false });
  const { config } = loadConfig({ flags: {}, env, file: undefined });
  const running = onPrimary(config, { name: 'migrate', log }, stopping.signal, async (endpoint) =>
    migrateUp({ endpoint, dir: migrationsDir, connectTimeoutMs: config.db.connectTimeoutMs, log }),
  );
  await once(frozen, 'connection');
  stopping.abort(new Error('stopped'));
  await assert.rejects(running, /stopped/u);
});
