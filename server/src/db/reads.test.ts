import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { DatabaseError } from 'pg';

import { ScriptedServer } from '../../test/scripted-server.ts';
import { AppError } from '../lib/app-error.ts';
import { createLog } from '../telemetry/log.ts';
import type { BatchableRead } from './batchable.ts';
import type { Caller } from './caller.ts';
import { onlyOnPrimary, type Position } from './position.ts';
import { PrimaryLog } from './primary-log.ts';
import { Reads, type Read } from './reads.ts';
import { Standby } from './standby.ts';
import { Standbys } from './standbys.ts';
import { statement } from './statement.ts';

const whoAnswers = statement<{ name: string }>('test.who', 'select name');
const log = createLog({ level: 'silent', name: 'test', pretty: false });

/** A read that returns the name of the answering server. */
const who: BatchableRead<undefined, string> = {
  name: 'test.who',
  keyOf: () => '',
  one: async (db) => (await db.query(whoAnswers, []))[0]?.name ?? '',
  many: async () => assert.fail('there is one key only'),
};

let primary: ScriptedServer;
let first: ScriptedServer;
let second: ScriptedServer;
let all: readonly Standby[];
let reads: Reads;
let failures: Standby[];
let onOldPrimary: () => void;
let read: Read<undefined, string>;

beforeEach(async () => {
  primary = new ScriptedServer('primary', { inRecovery: false, lsn: 1_000n, startedAt: 'primary' });
  first = new ScriptedServer('first', { lsn: 100n });
  second = new ScriptedServer('second', { lsn: 200n });
  const primaryLog = new PrimaryLog(performance, 10_000);
  all = [first, second].map(
    (one) => new Standby(one.watched(), one.batches(), { primary: () => undefined, primaryLog, maxLagMs: 1_000, log }),
  );
  await Promise.all(all.map(async (one) => one.check()));
  failures = [];
  onOldPrimary = () => undefined;
  reads = new Reads({
    primary: primary.batches(),
    standbys: new Standbys(all, { maxTogether: 10, random: () => 0 }),
    maxCatchUpMs: 20,
    timeoutMs: 5_000,
    clock: performance,
    onFailure: (standby) => void failures.push(standby),
    onOldPrimary: async () => onOldPrimary(),
  });
  read = reads.prepare(who);
});

function callerWith(token?: Position): Caller {
  return { lifetime: new AbortController().signal, token, seen: undefined };
}

function at(lsn: bigint): Position {
  return { timeline: 1, lsn };
}

/** The servers that answer a few sequential reads. */
async function answers(token?: Position): Promise<Set<string>> {
  const names = new Set<string>();
  for (let n = 0; n < 6; n += 1) names.add(await read(undefined, callerWith(token)));
  return names;
}

test('a read without a token is answered by any standby', async () => {
  assert.deepEqual(await answers(), new Set(['first', 'second']));
  assert.equal(reads.outcomes.standby, 6);
});

test('a read with a token is answered by the standby that has replayed it, even if that is busier', async () => {
  const [, busy] = all;
  assert(busy);
  busy.load.inFlight = 1_000;
  assert.deepEqual(await answers(at(150n)), new Set(['second']));
});

test("a client's position follows its reads: a standby behind it is not queried", async () => {
  const caller = callerWith(at(150n));
  await read(undefined, caller);
  assert.deepEqual(caller.seen, second.position);
  assert.deepEqual(await answers(caller.seen), new Set(['second']));
});

test('a read with a token waits briefly, and is answered by the first standby that replays it', async () => {
  const answer = read(undefined, callerWith(at(300n)));
  first.lsn = 300n;
  assert.equal(await answer, 'first');
  assert.equal(reads.outcomes.waited, 1);
});

test('a token that no standby replays in time is answered by the primary', async () => {
  const caller = callerWith(at(300n));
  assert.equal(await read(undefined, caller), 'primary');
  assert.deepEqual(caller.seen, primary.position);
  assert.equal(await read(undefined, callerWith(onlyOnPrimary)), 'primary');
  assert.equal(reads.outcomes.primaryForToken, 2);
});

async function assertOthersAsked(token: Position | undefined): Promise<void> {
  first.health = 'away';
  assert.deepEqual(await answers(token), new Set(['second']));
  assert.ok(failures.length > 0 && failures.every((one) => one === all[0]));
  second.health = 'away';
  assert.deepEqual(await answers(token), new Set(['primary']));
  assert.equal(reads.outcomes.primaryForAbsence, 6);
  for (const { load } of all) assert.equal(load.inFlight, 0);
}

test('a read that fails on a standby is retried on the other, then on the primary', async () => {
  await assertOthersAsked(undefined);
});

test('a read with a token is retried, too', async () => {
  await assertOthersAsked(at(50n));
});

test('what must not be stale is read from the primary, and from a standby only while the primary is unavailable', async () => {
  const fresh = reads.prepare({ ...who, isPrimaryFirst: true });
  assert.equal(await fresh(undefined, callerWith()), 'primary');
  primary.failure = new AppError('statement_timeout');
  await assert.rejects(fresh(undefined, callerWith()), { code: 'statement_timeout' });
  primary.failure = new AppError('database_unavailable');
  assert.notEqual(await fresh(undefined, callerWith()), 'primary');
  const unknown = reads.prepare({ ...who, isPrimaryFirst: true, isDoubtful: () => true });
  await assert.rejects(unknown(undefined, callerWith()), { code: 'database_unavailable' });
});

test('an error of the request is not retried', async () => {
  const failure = new AppError('statement_timeout');
  first.failure = failure;
  second.failure = failure;
  await assert.rejects(read(undefined, callerWith()), failure);
  assert.deepEqual(failures, []);
  assert.equal(first.asked.includes('test.who') && second.asked.includes('test.who'), false);
});

test('errors specific to a standby are retried on the primary; errors of the call are not', async () => {
  const failWith = (code: string): void => {
    const failure = Object.assign(new DatabaseError('the words of PostgreSQL', 0, 'error'), { code });
    first.failure = failure;
    second.failure = failure;
  };
  // Conflicts with recovery, a migration that is not replayed yet, a failing disk, damaged data.
  for (const code of ['40P01', '40001', '42P01', '42703', '58030', 'XX001', '57P04']) {
    failWith(code);
    for (const token of [undefined, at(50n)]) assert.equal(await read(undefined, callerWith(token)), 'primary', code);
  }
  for (const code of ['22012', '23514', '54000']) {
    failWith(code);
    await assert.rejects(read(undefined, callerWith()), { code });
  }
});

test('an answer of a standby that has become another server is discarded', async () => {
  second.incarnation = 'second start';
  const caller = callerWith(at(150n));
  assert.equal(await read(undefined, caller), 'primary');
  assert.deepEqual(caller.seen, primary.position);
});

test('a primary older than a token does not answer: the new one is located', async () => {
  const token = { timeline: 2, lsn: 50n };
  let looks = 0;
  onOldPrimary = () => {
    looks += 1;
    if (looks === 2) Object.assign(primary, { timeline: 2, lsn: 60n });
  };
  const caller = callerWith(token);
  assert.equal(await read(undefined, caller), 'primary');
  assert.equal(looks, 2);
  assert.deepEqual(caller.seen, { timeline: 2, lsn: 60n });
});

test('without a newer primary, a token of a newer timeline is refused, not answered with old data', async () => {
  await assert.rejects(read(undefined, callerWith({ timeline: 2, lsn: 50n })), { code: 'database_unavailable' });
});

test('a token of an older timeline is answered by the new primary with a new token', async () => {
  Object.assign(primary, { timeline: 2, lsn: 500n });
  const caller = callerWith(at(300n));
  assert.equal(await read(undefined, caller), 'primary');
  assert.deepEqual(caller.seen, { timeline: 2, lsn: 500n });
});

test('without a fit standby, reads do not wait for one', async () => {
  for (const one of [first, second]) one.health = 'away';
  await Promise.all(all.map(async (one) => one.check()));
  first.asked.length = 0;
  assert.deepEqual(await answers(at(300n)), new Set(['primary']));
  assert.deepEqual(first.asked, []);
});

test('an absent row is looked up on the primary', async () => {
  const readDoubtful = reads.prepare({ ...who, isDoubtful: (name: string) => name !== 'primary' });
  assert.equal(await readDoubtful(undefined, callerWith()), 'primary');
  assert.equal(reads.outcomes.primaryForDoubt, 1);
  const caller = callerWith(at(50n));
  assert.equal(await readDoubtful(undefined, caller), 'primary', 'what the client has not seen may be there, too');
  assert.equal(reads.outcomes.primaryForDoubt, 2);
  assert.deepEqual(caller.seen, primary.position);
});

test('the second query on the primary keeps the deadline of the read', async () => {
  const clock = { nowMs: 0, now: () => clock.nowMs };
  const standby = new ScriptedServer('standby', { lsn: 100n });
  const primaryLog = new PrimaryLog(clock, 10_000);
  const options = { primary: () => undefined, primaryLog, maxLagMs: 1_000, log };
  const known = new Standby(standby.watched(), standby.batches(clock), options);
  await known.check();
  const readUnknown = new Reads({
    primary: primary.batches(clock),
    standbys: new Standbys([known], { maxTogether: 10, random: () => 0 }),
    maxCatchUpMs: 20,
    timeoutMs: 3_000,
    clock,
    onFailure: () => undefined,
    onOldPrimary: async () => undefined,
  }).prepare({
    ...who,
    isDoubtful: () => {
      clock.nowMs += 1_000;
      return true;
    },
  });
  for (const token of [undefined, at(100n)]) {
    assert.equal(await readUnknown(undefined, callerWith(token)), 'primary');
    assert.deepEqual([standby.timeoutsMs.pop(), primary.timeoutsMs.pop()], [3_000, 2_000]);
  }
});
