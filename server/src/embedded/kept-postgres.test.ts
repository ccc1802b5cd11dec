import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import { type Failure, KeptPostgres, restartDelayMs } from './kept-postgres.ts';
import type { PostgresProcess } from './postgres-process.ts';
import { poll } from './wait.ts';

interface Fake extends PostgresProcess {
  die(reason: string): void;
}

function fakeServer(pid: number): Fake {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  return { pid, ended, die: resolve, stop: async () => resolve('stopped') };
}

/** A kept server whose launches are `launch`, its clock, and its reported failures. */
function keep(launch: (n: number) => Promise<PostgresProcess>): {
  kept: KeptPostgres;
  failures: Failure[];
  clock: { now: () => number; nowMs: number };
} {
  const failures: Failure[] = [];
  const clock = { nowMs: 0, now: (): number => clock.nowMs };
  let launches = 0;
  const kept = new KeptPostgres({
    name: 'primary',
    launch: async () => launch((launches += 1)),
    clock,
    log: pino({ level: 'silent' }),
    onFailure: (failure) => failures.push(failure),
  });
  return { kept, failures, clock };
}

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

async function until(isTrue: () => boolean): Promise<void> {
  await poll(() => (isTrue() ? true : undefined), { everyMs: 1, signal: soon() });
}

test('a server that dies is restarted', async () => {
  const servers = [fakeServer(1), fakeServer(2)];
  const { kept } = keep(async (n) => servers[n - 1] ?? assert.fail('too many launches'));
  await kept.start(soon());
  servers[0]?.die('killed');
  await until(() => kept.pid === 2);
  await kept.stop(soon());
  assert.equal(kept.pid, undefined);
});

test('a server with a full disk is retried without limit, and recovers when there is room', async () => {
  const full = 'could not write to file "pg_wal/xlogtemp.1": No space left on device';
  const first = fakeServer(1);
  const { kept, failures } = keep(async (n) => {
    if (n > 1 && n < 7) throw new Error(full);
    return n === 1 ? first : fakeServer(n);
  });
  await kept.start(soon());
  first.die(full);
  await until(() => kept.failure?.count === 3);
  assert.equal(kept.failure?.kind, 'disk_full');
  await until(() => kept.pid === 7);
  assert.deepEqual(
    failures.map(({ count }) => count),
    [1, 2, 3, 4, 5, 6],
  );
  await kept.stop(soon());
});

test('the delay before a restart grows up to ten seconds, and the first restart is immediate', () => {
  const delays = [1, 2, 3, 4, 8, 9, 1_000].map(restartDelayMs);
  assert.deepEqual(delays, [0, 100, 200, 400, 6_400, 10_000, 10_000]);
});

test('after a minute of service, a failure counts as the first', async () => {
  const servers = [fakeServer(1), fakeServer(2), fakeServer(3)];
  const { kept, failures, clock } = keep(async (n) => servers[n - 1] ?? assert.fail('too many launches'));
  await kept.start(soon());
  servers[0]?.die('killed');
  await until(() => kept.pid === 2);
  clock.nowMs = 60_000;
  servers[1]?.die('killed');
  await until(() => kept.pid === 3);
  assert.deepEqual(
    failures.map(({ count }) => count),
    [1, 1],
  );
  await kept.stop(soon());
});

test('a failed first start rejects with the reason, and is retried', async () => {
  const { kept, failures } = keep(async (n) => {
    if (n === 1) throw new Error('broken');
    return fakeServer(n);
  });
  await assert.rejects(kept.start(soon()), /broken/);
  await until(() => kept.pid === 2);
  assert.deepEqual(failures, [{ reason: 'broken', kind: 'crash', count: 1 }]);
  assert.equal(kept.failure, undefined);
  await kept.stop(soon());
});

test('an aborted first start is not retried', async () => {
  const { kept, failures } = keep(async () => {
    throw new Error('called off');
  });
  await assert.rejects(kept.start(AbortSignal.abort()), /called off/);
  await kept.stop(soon());
  assert.deepEqual(failures, []);
});

test('a server whose launch succeeds during the stop does not outlive it', async () => {
  const late = fakeServer(7);
  let ended = false;
  void late.ended.then(() => (ended = true));
  const gate = Promise.withResolvers<PostgresProcess>();
  const { kept } = keep(async () => gate.promise);
  const start = kept.start(soon());
  const stop = kept.stop(soon());
  gate.resolve(late);
  await assert.rejects(start);
  await stop;
  assert.equal(ended, true);
});
