import assert from 'node:assert/strict';
import { test } from 'node:test';

import { loadConfig } from './config.ts';
import type { Endpoint } from './db/endpoint.ts';
import type { InspectedRead, ServerFacts } from './db/server-facts.ts';
import { fitPools, planPools } from './plan-pools.ts';
import { createLog } from './telemetry/log.ts';

const log = createLog({ level: 'silent', name: 'test', pretty: false });
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

function fit(reads: readonly InspectedRead[], env: Readonly<Record<string, string>> = {}): unknown {
  const loaded = loadConfig({ flags: {}, env, file: undefined });
  return fitPools(planPools(loaded, 8, { write: primary, reads }), log);
}

test('each server gives what it has to its own pools: another standby takes nothing from the first', () => {
  assert.deepEqual(fit([standby('a', 500)]), { write: 49, read: 49 });
  assert.deepEqual(fit([standby('a', 500), standby('b', 500)]), { write: 49, read: 49 });
});

test('the smallest standby bounds the read pools, and a number that it cannot give is refused by its name', () => {
  assert.deepEqual(fit([standby('a', 500), standby('b', 100)]), { write: 49, read: 9 });
  const told = /^The read server b:5433 has max_connections = 100.*read 40 \(DB_READ_MAX_OPEN_CONNS\) × 8 = 320/u;
  const asked = { DB_READ_MAX_OPEN_CONNS: '40', DB_READ_MAX_IDLE_CONNS: '40' };
  assert.throws(() => fit([standby('a', 500), standby('b', 100)], asked), { message: told });
});

test('a read server that is the primary shares its connections with the writes', () => {
  const { endpoint } = standby('primary', 500);
  assert.deepEqual(fit([{ endpoint, facts: primary }, standby('b', 500)]), { write: 24, read: 24 });
});
