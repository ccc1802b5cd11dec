import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import { RestartBudget } from '../lib/restart-budget.ts';
import { KeptPostgres } from './kept-postgres.ts';
import type { PostgresProcess } from './postgres-process.ts';
import { poll } from './wait.ts';

interface Fake extends PostgresProcess {
  die(reason: string): void;
}

function fakeServer(pid: number): Fake {
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  return { pid, ended, die: resolve, stop: async () => resolve('stopped') };
}

const limits = { maxCrashes: 3, windowMs: 60_000, baseDelayMs: 1, maxDelayMs: 1 };

/** A kept server whose launches are `launch`, with what it told of its exhaustion. */
function keep(launch: (n: number) => Promise<PostgresProcess>): { kept: KeptPostgres; exhausted: string[] } {
  const exhausted: string[] = [];
  let launches = 0;
  const kept = new KeptPostgres({
    name: 'primary',
    launch: async () => launch((launches += 1)),
    budget: new RestartBudget({ now: () => 0 }, limits),
    log: pino({ level: 'silent' }),
    onExhausted: (reason) => exhausted.push(reason),
  });
  return { kept, exhausted };
}

const soon = (): AbortSignal => AbortSignal.timeout(5_000);

async function until(isTrue: () => boolean): Promise<void> {
  await poll(() => (isTrue() ? true : undefined), { everyMs: 1, signal: soon() });
}

test('a server that dies is started again', async () => {
  const servers = [fakeServer(1), fakeServer(2)];
  const { kept } = keep(async (n) => servers[n - 1] ?? assert.fail('too many launches'));
  await kept.start(soon());
  servers[0]?.die('killed');
  await until(() => kept.pid === 2);
  await kept.stop(soon());
  assert.equal(kept.pid, undefined);
});

test('a server that dies more often than the budget allows stays down, and the last reason is told', async () => {
  const { kept, exhausted } = keep(async (n) => {
    if (n > 1) throw new Error(`no memory ${n}`);
    const server = fakeServer(n);
    server.die('killed');
    return server;
  });
  await kept.start(soon());
  await until(() => exhausted.length > 0);
  assert.deepEqual(exhausted, ['no memory 4']);
  await kept.stop(soon());
});

test('a first start that fails is not tried again', async () => {
  let launches = 0;
  const { kept } = keep(async (n) => {
    launches = n;
    throw new Error('broken');
  });
  await assert.rejects(kept.start(soon()), /broken/);
  await kept.stop(soon());
  assert.equal(launches, 1);
});

test('a patient start is tried until the budget is spent', async () => {
  const { kept, exhausted } = keep(async (n) => {
    throw new Error(`broken ${n}`);
  });
  await kept.startPatiently();
  assert.deepEqual(exhausted, ['broken 4']);
  await kept.stop(soon());
});

test('a server whose launch succeeds only after the stop was asked for does not outlive the stop', async () => {
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
