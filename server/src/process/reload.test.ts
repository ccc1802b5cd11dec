import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { noWatch } from '../../test/collections.ts';
import { recordLog } from '../../test/log-lines.ts';
import type { Script } from '../../test/scripted-worker.ts';
import { waitFor } from '../../test/wait-for.ts';
import { findPort, systemHasReusePort } from './port.ts';
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
    heartbeat: { everyMs: 20, maxMissed: 500, maxMissedAtStart: 500 },
    log: recordLog().log,
  });
  await workers.start(never);
  return workers;
}

interface Outcomes {
  readonly answers: Map<string, number>;
  readonly failures: string[];
}

/** Sends a request over a new connection. */
async function ask(url: string, { answers, failures }: Outcomes): Promise<void> {
  try {
    const text = await (await fetch(url)).text();
    answers.set(text, (answers.get(text) ?? 0) + 1);
  } catch (error) {
    failures.push(error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error));
  }
}

async function askUntil(end: AbortSignal, url: string, outcomes: Outcomes): Promise<void> {
  while (!end.aborted) await ask(url, outcomes);
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
  assert.deepEqual(group.counts, { expected: 2, serving: 2, accepting: 1, restarts: 0 });
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
  assert.deepEqual(group.counts, { expected: 3, serving: 3, accepting: 1, restarts: 0 });
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

type SettingsOf = (greeting: string, connections?: number) => (worker: number) => Script;

/** Clients that open a connection per request, while `act` runs. Workers answer with `greeting` and their number. */
async function askWhile(
  connections: number,
  act: (
    group: Workers<Script>,
    answers: ReadonlyMap<string, number>,
    more: { readonly of: SettingsOf; readonly askOnce: () => Promise<void> },
  ) => Promise<void>,
): Promise<Outcomes> {
  const port = await findPort('127.0.0.1', 0);
  const of: SettingsOf =
    (greeting, open = 0) =>
    (worker) => ({ worker, do: 'serve', port, greeting: `${greeting} ${worker}`, connections: open });
  const group = await start(of('first', connections));
  const outcomes: Outcomes = { answers: new Map(), failures: [] };
  const end = new AbortController();
  const url = `http://127.0.0.1:${port}/`;
  const clients = Array.from({ length: 8 }, async () => askUntil(end.signal, url, outcomes));
  await act(group, outcomes.answers, { of, askOnce: async () => ask(url, outcomes) }).finally(() => end.abort());
  await Promise.all(clients);
  return outcomes;
}

async function untilAnswered(answers: ReadonlyMap<string, number>, by: string): Promise<void> {
  const before = answers.get(by) ?? 0;
  await waitFor(`answers by ${by}`, () => (answers.get(by) ?? 0) > before + 100);
}

const onDemand = { skip: !systemHasReusePort && 'elsewhere all workers accept connections' };

test('one worker answers; when it is killed, another one does at once', onDemand, async () => {
  const { answers, failures } = await askWhile(0, async (group, so) => {
    await untilAnswered(so, 'first 1');
    process.kill(group.pids.get(1) ?? 0, 'SIGKILL');
    await untilAnswered(so, 'first 2');
    await waitFor('a replacement', () => group.counts.serving === 2);
    await untilAnswered(so, 'first 2');
  });
  assert.deepEqual([...answers.keys()], ['first 1', 'first 2']);
  assert.ok(failures.length <= 8, 'only requests that the killed worker had accepted fail');
  assert.ok(!failures.some((failure) => failure.includes('REFUSED')), failures.join());
});

test('when the worker that accepts connections freezes, another one accepts them', onDemand, async () => {
  const { failures } = await askWhile(0, async (group, so, { askOnce }) => {
    await untilAnswered(so, 'first 1');
    process.kill(group.pids.get(1) ?? 0, 'SIGSTOP');
    // Clients whose connection the frozen one had accepted wait for it: a new one asks.
    await askOnce().finally(() => process.kill(group.pids.get(1) ?? 0, 'SIGCONT'));
    assert.ok(so.has('first 2'));
    await untilAnswered(so, 'first 1');
  });
  assert.deepEqual(failures, []);
});

test('a second worker accepts connections while the first is busy, and rests after that', onDemand, async () => {
  const { failures } = await askWhile(60, async (group, so, { of }) => {
    await Promise.all([untilAnswered(so, 'first 1'), untilAnswered(so, 'first 2')]);
    await group.reload(of('second'));
    await untilAnswered(so, 'second 2');
    await waitFor('the second to rest', async () => {
      const before = so.get('second 2');
      await untilAnswered(so, 'second 1');
      return so.get('second 2') === before;
    });
  });
  assert.deepEqual(failures, []);
});
