import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { noWatch } from '../../test/collections.ts';
import { recordLog } from '../../test/log-lines.ts';
import type { Script } from '../../test/scripted-worker.ts';
import { waitFor } from '../../test/wait-for.ts';
import { findPort } from './port.ts';
import { Workers } from './workers.ts';

const never = new AbortController().signal;
let workers: Workers<Script> | undefined;

afterEach(async () => workers?.stop(AbortSignal.abort()));

async function start(
  settings: (worker: number) => Script,
  count = 2,
  startTimeoutMs = 10_000,
): Promise<Workers<Script>> {
  workers = new Workers<Script>({
    count,
    exec: fileURLToPath(new URL('../../test/scripted-worker.ts', import.meta.url)),
    settings,
    onFatal: assert.fail,
    clock: { now: () => 0 },
    random: () => 0,
    watch: noWatch,
    startTimeoutMs,
    stopTimeoutMs: 10_000,
    record: () => undefined,
    log: recordLog().log,
  });
  await workers.start(never);
  return workers;
}

interface Outcomes {
  readonly answers: Map<string, number>;
  readonly failures: string[];
}

/** Sends requests repeatedly, each over a new connection, until aborted. */
async function askUntil(end: AbortSignal, url: string, { answers, failures }: Outcomes): Promise<void> {
  while (!end.aborted) {
    try {
      const text = await (await fetch(url)).text();
      answers.set(text, (answers.get(text) ?? 0) + 1);
    } catch (error) {
      failures.push(error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error));
    }
  }
}

test('a reload replaces every worker, and every connection opened during it is answered', async () => {
  const port = await findPort('127.0.0.1', 0);
  const of =
    (greeting: string) =>
    (worker: number): Script => ({ worker, do: 'serve', port, greeting });
  const group = await start(of('first'));
  const outcomes: Outcomes = { answers: new Map(), failures: [] };
  const end = new AbortController();
  const clients = Array.from({ length: 8 }, async () => askUntil(end.signal, `http://127.0.0.1:${port}/`, outcomes));
  await waitFor('load', () => (outcomes.answers.get('first') ?? 0) > 100);
  const before = new Set(group.pids.values());
  for (const greeting of ['second', 'third']) await group.reload(of(greeting));
  await waitFor('the new settings to be served', () => (outcomes.answers.get('third') ?? 0) > 100);
  end.abort();
  await Promise.all(clients);
  assert.deepEqual(outcomes.failures, []);
  assert.ok(![...group.pids.values()].some((pid) => before.has(pid)));
  assert.deepEqual(group.counts, { expected: 2, serving: 2, restarts: 0 });
});

test('a reload whose first new worker cannot start changes nothing', async () => {
  const group = await start((worker) => ({ worker, do: 'serve' }));
  const before = new Map(group.pids);
  const reloading = group.reload((worker) => ({ worker, do: 'fail to start' }));
  await assert.rejects(reloading, /Worker 1 did not start: no room/u);
  assert.deepEqual(group.pids, before);
  process.kill(before.get(1) ?? 0, 'SIGKILL');
  await waitFor('a replacement with the old settings', () => group.counts.serving === 2 && group.counts.restarts === 1);
});

test('a reload whose second new worker cannot start keeps the old one, and reports which workers have the new configuration', async () => {
  const group = await start((worker) => ({ worker, do: 'serve' }), 3);
  const before = new Map(group.pids);
  const outcomes: string[] = [];
  const reloading = group.reload(
    (worker) => ({ worker, do: worker === 2 ? 'fail to start' : 'serve' }),
    () => outcomes.push('proven'),
  );
  await assert.rejects(reloading, {
    name: 'OperatorError',
    message: /Worker 2 did not start: no room.*Workers before worker 2 have the new configuration/u,
  });
  assert.deepEqual(outcomes, ['proven']);
  assert.notEqual(group.pids.get(1), before.get(1));
  for (const worker of [2, 3]) assert.equal(group.pids.get(worker), before.get(worker));
  assert.deepEqual(group.counts, { expected: 3, serving: 3, restarts: 0 });
  await group.reload((worker) => ({ worker, do: 'serve' }));
  for (const worker of [2, 3]) assert.notEqual(group.pids.get(worker), before.get(worker));
});

test('a reload whose new worker does not serve in time changes nothing', async () => {
  const group = await start((worker) => ({ worker, do: 'serve' }), 1, 2_000);
  const before = new Map(group.pids);
  await assert.rejects(
    group.reload((worker) => ({ worker, do: 'never serve' })),
    { name: 'OperatorError', message: 'Worker 1 did not serve within 2000 ms.' },
  );
  assert.deepEqual(group.pids, before);
});

test('a stop during a reload ends it without a defect', async () => {
  const group = await start((worker) => ({ worker, do: 'serve' }), 1);
  const reloading = assert.rejects(
    group.reload((worker) => ({ worker, do: 'never serve' })),
    { name: 'OperatorError', message: 'The server is stopping.' },
  );
  await group.stop(never);
  await reloading;
});

test('a worker that dies while its successor starts is replaced by it, and by no other', async () => {
  const group = await start((worker) => ({ worker, do: 'serve' }), 1);
  const victim = group.pids.get(1) ?? 0;
  await group.reload((worker) => {
    process.kill(victim, 'SIGKILL');
    return { worker, do: 'serve' };
  });
  assert.notEqual(group.pids.get(1), victim);
  assert.equal(group.counts.serving, 1);
});
