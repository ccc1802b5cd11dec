import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { ScriptedServer } from '../../test/scripted-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import { createLog } from '../telemetry/log.ts';
import type { Server } from './server.ts';
import { Topology } from './topology.ts';

const log = createLog({ level: 'silent', name: 'test', pretty: false });
const clock = performance;

let first: ScriptedServer;
let second: ScriptedServer;
let servers: readonly [Server, Server];
let topology: Topology;

beforeEach(() => {
  first = new ScriptedServer('first', { inRecovery: false, readOnly: false, lsn: 100n, startedAt: 'first' });
  second = new ScriptedServer('second', { lsn: 100n, startedAt: 'second' });
  servers = [first.watched(), second.watched()];
  topology = new Topology({ candidates: servers, standbys: [], clock, log });
});

afterEach(async () => topology.stop());

/** The effect of `pg_promote`. */
function promote(server: ScriptedServer): void {
  Object.assign(server, { inRecovery: false, readOnly: false, timeline: server.timeline + 1 });
}

function primaryPlace(): string | undefined {
  return topology.primary?.server.place;
}

test('the primary is found among several servers in any order', async () => {
  await topology.start();
  assert.equal(primaryPlace(), 'first:5433');
  const reversed = new Topology({ candidates: servers.toReversed(), standbys: [], clock, log });
  await reversed.start();
  assert.equal(reversed.primary?.server.place, 'first:5433');
  await reversed.stop();
});

test('a primary that is slow at the start is queried again before its standbys are used without it', async () => {
  const searched: boolean[] = [];
  topology.onAnswer(() => searched.push(topology.isSearching));
  first.health = 'away';
  const starting = topology.start();
  await waitFor('the first questions', () => first.asked.length > 0 && second.asked.length > 0);
  first.health = 'well';
  await starting;
  assert.equal(primaryPlace(), 'first:5433');
  assert.deepEqual([searched[0], searched.at(-1)], [true, false]);
});

test('without a primary the search ends at the start', async () => {
  first.health = 'away';
  await topology.start();
  assert.equal(topology.isSearching, false);
  assert.equal(topology.primary, undefined);
});

async function assertFollowed(end: () => void): Promise<void> {
  await topology.start();
  end();
  promote(second);
  await waitFor('the new primary', () => primaryPlace() === 'second:5433');
  assert.equal(topology.primary?.isWritable, true);
}

for (const [how, end] of [
  ['is gone', () => (first.health = 'away')],
  ['is frozen', () => (first.health = 'silent')],
  ['is read-only', () => (first.readOnly = true)],
  ['still takes writes', () => undefined],
  ['is a standby now', () => Object.assign(first, { inRecovery: true, readOnly: true, timeline: 2 })],
] as const) {
  test(`a promotion is followed when the old primary ${how}`, async () => assertFollowed(end));
}

test('a server on an older timeline is never the primary again, also when the newer one is unavailable', async () => {
  await topology.start();
  promote(second);
  await waitFor('the new primary', () => primaryPlace() === 'second:5433');
  second.health = 'away';
  await topology.look();
  assert.equal(primaryPlace(), 'second:5433');
});

test('a standby that follows a newer timeline shows that the primary is an old one', async () => {
  await topology.start();
  second.timeline = 2;
  await topology.look();
  assert.equal(topology.primary?.isWritable, false);
  await assert.rejects(topology.admitWrite(), /first:5433 takes no writes/u);
});

test('a primary that becomes read-only gets no writes until it is writable again', async () => {
  await topology.start();
  await topology.admitWrite();
  first.readOnly = true;
  await waitFor('the change to be noticed', () => topology.primary?.isWritable === false);
  await assert.rejects(topology.admitWrite());
  first.readOnly = false;
  await waitFor('the change to be noticed', () => topology.primary?.isWritable === true);
  await topology.admitWrite();
});

test('a server of another cluster is never the primary', async () => {
  await topology.start();
  Object.assign(second, { systemIdentifier: '8' });
  promote(second);
  await topology.look();
  assert.equal(primaryPlace(), 'first:5433');
  const fixed = new Topology({ candidates: servers, standbys: [], systemIdentifier: '8', clock, log });
  await fixed.start();
  assert.equal(fixed.primary?.server.place, 'second:5433');
  await fixed.stop();
});

test('after a failover, writes wait until other workers have detected it', async () => {
  await topology.start();
  promote(second);
  await waitFor('the new primary', () => primaryPlace() === 'second:5433');
  const before = performance.now();
  await topology.admitWrite();
  assert.ok(performance.now() - before > 250, 'longer than the pause between two questions to a server');
  const after = performance.now();
  await topology.admitWrite();
  assert.ok(performance.now() - after < 250);
});

test('a connection is accepted only to the known primary: not to a restarted server, a standby, or a copy', async () => {
  await topology.start();
  const { primary } = topology;
  assert(primary);
  assert.equal(topology.misfitOf(primary.status), undefined);
  assert.match(topology.misfitOf({ ...primary.status, startedAt: 'later' }) ?? '', /not the known primary/u);
  assert.match(topology.misfitOf({ ...primary.status, systemIdentifier: '8' }) ?? '', /not the known primary/u);
  assert.match(topology.misfitOf({ ...primary.status, inRecovery: true }) ?? '', /standby/u);
});

test('concurrent failures cause one query of each server', async () => {
  await topology.start();
  first.asked.length = 0;
  await Promise.all(Array.from({ length: 100 }, async () => topology.look()));
  assert.ok(first.asked.length <= 2, `${first.asked.length} questions`);
});
