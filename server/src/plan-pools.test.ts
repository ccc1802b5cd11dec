import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadConfig } from './load-config.ts';
import type { Endpoint } from './db/endpoint.ts';
import type { InspectedRead, ServerFacts } from './db/server-facts.ts';
import { fitPools, planPools } from './plan-pools.ts';
import { createLog } from './telemetry/log.ts';

const lines: string[] = [];
const log = createLog(
  { level: 'info', name: 'test', pretty: false },
  { write: (line: string) => void lines.push(line) },
);
const primary: ServerFacts = {
  version: 180_004,
  database: 'messenger',
  maxConnections: 500,
  reservedConnections: 3,
  inRecovery: false,
  readOnly: false,
  settings: {},
  systemIdentifier: '7',
  startedAt: 'primary',
};

function standby(host: string, maxConnections: number): InspectedRead {
  const endpoint: Endpoint = { host, port: 5433, user: 'root', database: 'messenger' };
  return { endpoint, facts: { ...primary, inRecovery: true, startedAt: host, maxConnections } };
}

function fit(
  reads: readonly (InspectedRead & { readonly isApart?: boolean })[],
  env: Readonly<Record<string, string>> = {},
): unknown {
  const loaded = loadConfig({ flags: {}, env, file: undefined });
  return fitPools(planPools(loaded, 8, { write: primary, reads }), log);
}

test('each server has room for its pools as the primary; the embedded standby never becomes one', () => {
  assert.deepEqual(fit([standby('a', 500)]), { write: 24, read: 24 });
  assert.deepEqual(fit([standby('a', 500), standby('b', 500)]), { write: 24, read: 24 });
  assert.deepEqual(fit([{ ...standby('a', 500), isApart: true }]), { write: 49, read: 49 });
});

test('explicit sizes that fit until a failover are kept; the log warns about the failover', () => {
  const env = { DB_WRITE_MAX_OPEN_CONNS: '40', DB_READ_MAX_OPEN_CONNS: '40', DB_WRITE_MAX_IDLE_CONNS: '40' };
  assert.deepEqual(fit([standby('a', 500)], { ...env, DB_READ_MAX_IDLE_CONNS: '40' }), { write: 40, read: 40 });
  assert.match(lines.join(''), /after a failover to this server: The read server has max_connections = 500/u);
});

test('the smallest standby limits the read pools, and an explicit size that does not fit is refused by name', () => {
  assert.deepEqual(fit([standby('a', 500), standby('b', 100)]), { write: 4, read: 4 });
  const told = /^The read server b:5433 has max_connections = 100.*read 40 \(DB_READ_MAX_OPEN_CONNS\) × 8 = 320/u;
  const asked = { DB_READ_MAX_OPEN_CONNS: '40', DB_READ_MAX_IDLE_CONNS: '40' };
  assert.throws(() => fit([standby('a', 500), standby('b', 100)], asked), { message: told });
});

test('a read server that is the primary shares its connections between reads and writes', () => {
  const { endpoint } = standby('primary', 500);
  assert.deepEqual(fit([{ endpoint, facts: primary }, standby('b', 500)]), { write: 24, read: 24 });
});
