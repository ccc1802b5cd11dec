import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { Script } from '../../test/scripted-worker.ts';
import { parseLines } from '../../test/log-lines.ts';
import { noCollection, noWatch } from '../../test/collections.ts';
import { waitFor } from '../../test/wait-for.ts';
import { OperatorError } from '../lib/operator-error.ts';
import type { Collect } from '../telemetry/collection.ts';
import { createLog } from '../telemetry/log.ts';
import { Workers } from './workers.ts';

const never = new AbortController().signal;
const lines: string[] = [];
const fatal: string[] = [];
const events: string[] = [];
let workers: Workers<Script> | undefined;

afterEach(async () => {
  await workers?.stop(AbortSignal.abort());
  lines.length = 0;
  fatal.length = 0;
  events.length = 0;
});

const collectNothing: Collect = async () => noCollection;

/** Two workers by default; `act` determines the behaviour of each launch, in order. */
function create(act: (launch: number) => Script['do'], count = 2, collect = collectNothing): Workers<Script> {
  let launches = 0;
  workers = new Workers<Script>({
    count,
    exec: fileURLToPath(new URL('../../test/scripted-worker.ts', import.meta.url)),
    settings: (worker) => ({ worker, do: act((launches += 1)) }),
    onFatal: (reason) => fatal.push(reason),
    clock: { now: () => 0 },
    random: () => 0,
    watch: { ...noWatch, collect },
    startTimeoutMs: 10_000,
    stopTimeoutMs: 10_000,
    record: ({ text }) => events.push(text),
    heartbeat: { everyMs: 100, maxMissed: 5, maxMissedAtStart: 100 },
    log: createLog({ level: 'info', name: 'test', pretty: false }, { write: (line: string) => void lines.push(line) }),
  });
  return workers;
}

/** The worker ends logged so far. */
const crashes = (): ReturnType<typeof parseLines> => parseLines(lines.join(''), 'a worker ended');

function pidOf(group: Workers<Script>, n: number): number {
  const pid = group.pids.get(n);
  assert(pid !== undefined, `worker ${n} runs`);
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function untilReplaced(group: Workers<Script>, n: number, pid: number): Promise<void> {
  const served = lines.filter((line) => line.includes('a new worker serves')).length;
  await waitFor('a new worker to serve', () => {
    const told = lines.filter((line) => line.includes('a new worker serves')).length;
    return told > served && ![undefined, pid].includes(group.pids.get(n));
  });
}

test('every worker gets its own settings, and the report is that of the first', async () => {
  const group = create(() => 'serve');
  await group.start(never);
  assert.deepEqual([...group.pids.keys()], [1, 2]);
  assert.deepEqual(group.report, { routes: ['worker 1'] });
  const pids = [...group.pids.values()];
  await group.stop(never);
  assert.equal(pids.some(isAlive), false);
  assert.deepEqual(lines, [], 'a stop is no crash');
});

test('a worker that cannot start fails the start, with its reason', async () => {
  await assert.rejects(create(() => 'fail to start', 1).start(never), (error) => {
    assert(error instanceof OperatorError);
    assert.equal(error.message, 'Worker 1 did not start: no room');
    return true;
  });
  await assert.rejects(create(() => 'die at the start', 1).start(never), /Worker 1 did not start: it ended/u);
});

test('an aborted start does not wait for its workers', async () => {
  const operator = new AbortController();
  const starting = create(() => 'serve').start(operator.signal);
  operator.abort(new Error('SIGTERM'));
  await assert.rejects(starting, /SIGTERM/u);
});

test('a worker that ended by SIGTERM is replaced at once, and does not count as crashed', async () => {
  const group = create(() => 'serve', 1);
  await group.start(never);
  for (let ending = 1; ending <= 7; ending += 1) {
    const pid = pidOf(group, 1);
    const replaced = untilReplaced(group, 1, pid);
    process.kill(pid, 'SIGTERM');
    await replaced;
  }
  assert.deepEqual(fatal, []);
  const ends = lines.filter((line) => line.includes('a worker ended'));
  assert.equal(ends.length, 7);
  assert.ok(ends.every((line) => line.includes('"restartInMs":0')));
});

test('a crashed worker is replaced, also when its replacement cannot start; the other one continues', async () => {
  const group = create((launch) => (launch === 3 ? 'fail to start' : 'serve'));
  await group.start(never);
  const [victim, other] = [pidOf(group, 1), pidOf(group, 2)];
  const replaced = untilReplaced(group, 1, victim);
  process.kill(victim, 'SIGKILL');
  await replaced;
  assert.equal(pidOf(group, 2), other);
  assert.match(lines.join(''), /"reason":"no room"/u);
  assert.deepEqual(events, ['Worker 1 ended by SIGKILL', 'Worker 1 ended with exit code 1: no room']);
});

test('a single worker that crashes six times in a row ends the server once', async () => {
  const group = create((launch) => (launch === 1 ? 'serve' : 'die at the start'), 1);
  await group.start(never);
  process.kill(pidOf(group, 1), 'SIGKILL');
  await waitFor('the budget to be spent', () => fatal.length > 0);
  assert.deepEqual(fatal, ['no worker serves, and each has crashed too often']);
  assert.equal(group.pids.size, 0);
  assert.deepEqual(crashes().length, 6);
});

test('while another worker serves, a worker that always crashes restarts with back-off, and the server continues', async () => {
  const group = create((launch) => (launch <= 2 ? 'serve' : 'die at the start'));
  await group.start(never);
  const sibling = pidOf(group, 2);
  process.kill(pidOf(group, 1), 'SIGKILL');
  await waitFor('eight crashes', () => crashes().length >= 8);
  assert.deepEqual(
    crashes().map((end) => end['restartInMs']),
    [0, 50, 100, 200, 400, 800, 1_600, 3_200],
  );
  assert.deepEqual(fatal, []);
  assert.equal(pidOf(group, 2), sibling);
  assert.deepEqual(group.counts, { expected: 2, serving: 1, accepting: 1, restarts: 8 });
});

test('the server ends when its last serving worker ends and the others have crashed too often', async () => {
  const group = create((launch) => (launch <= 2 ? 'serve' : 'die at the start'));
  await group.start(never);
  for (const pid of group.pids.values()) process.kill(pid, 'SIGKILL');
  await waitFor('both budgets to be spent', () => fatal.length > 0);
  assert.equal(fatal.length, 1);
});

test('a worker that ends by itself before it serves counts as crashed, whatever its exit code', async () => {
  const group = create((launch) => (launch === 1 ? 'serve' : 'exit at the start'), 1);
  await group.start(never);
  process.kill(pidOf(group, 1), 'SIGKILL');
  await waitFor('the budget to be spent', () => fatal.length > 0);
  assert.ok(crashes().some((end) => end['code'] === 0));
});

test('a worker that does not stop is killed at the deadline', async () => {
  const group = create(() => 'hang when stopped', 1);
  await group.start(never);
  const pid = pidOf(group, 1);
  const time = new AbortController();
  const stopping = group.stop(time.signal);
  assert.ok(isAlive(pid));
  time.abort();
  await stopping;
  assert.equal(isAlive(pid), false);
});

test('draining workers learn when all listeners are closed, even if one worker was killed', async () => {
  const group = create(() => 'wait for the others when stopped', 3);
  await group.start(never);
  process.kill(pidOf(group, 1), 'SIGSTOP');
  const stopping = group.stop(never);
  process.kill(pidOf(group, 1), 'SIGKILL');
  await stopping;
});

/** Until undone, no process can start: the program is missing. */
function forbidForks(): () => void {
  const { execPath } = process;
  process.execPath = '/nonexistent';
  return () => {
    process.execPath = execPath;
  };
}

test('a failed fork fails the start, without waiting', async (t) => {
  t.after(forbidForks());
  const group = create(() => 'serve', 1);
  await assert.rejects(group.start(never), /Worker 1 did not start: spawn .*ENOENT/u);
  assert.equal(group.pids.size, 0);
  await group.stop(never);
});

test('a failed fork of a replacement is retried', async (t) => {
  const group = create(() => 'serve', 1);
  await group.start(never);
  const victim = pidOf(group, 1);
  const replaced = untilReplaced(group, 1, victim);
  const allowForks = forbidForks();
  t.after(allowForks);
  process.kill(victim, 'SIGKILL');
  await waitFor('the failure to be reported', () => lines.some((line) => line.includes('ENOENT')));
  allowForks();
  await replaced;
});

test('a failed collection of metrics is logged, and the supervisor continues', async () => {
  const fail: Collect = async () => {
    throw new Error('the collection failed');
  };
  const group = create(() => 'ask what all have counted', 1, fail);
  await group.start(never);
  await waitFor('the failure to be reported', () => lines.length > 0);
  assert.match(lines.join(''), /the collection failed.*the metrics of all processes could not be collected/u);
  assert.equal(group.counts.serving, 1);
});

test('a worker that hangs is killed and replaced', async () => {
  const group = create(() => 'serve');
  await group.start(never);
  const hung = pidOf(group, 1);
  const healthy = pidOf(group, 2);
  process.kill(hung, 'SIGSTOP');
  await untilReplaced(group, 1, hung);
  assert.equal(isAlive(hung), false);
  assert.equal(pidOf(group, 2), healthy);
  assert.match(lines.join('\n'), /"signal":"SIGKILL","reason":"it stopped responding"/u);
});

async function totals(group: Workers<Script>): Promise<(number | undefined)[]> {
  const measured = await group.measure();
  return measured.map(({ measurement }) => measurement?.metrics.messenger_worker_restarts_total?.[0]?.values[0]);
}

test('a worker learns when all others have dropped a key', async () => {
  const group = create((launch) => (launch === 3 ? 'make the others forget' : 'serve'), 3);
  await group.start(never);
  await waitFor('the others to forget', async () => (await totals(group)).includes(-1));
  assert.deepEqual(new Set(await totals(group)), new Set([100, -1]));
});

test('each serving worker is asked for its metrics; a frozen one is reported as silent', async () => {
  const group = create(() => 'serve');
  await group.start(never);
  assert.deepEqual(new Set(await totals(group)), new Set([1, 2]));
  const victim = pidOf(group, 1);
  process.kill(victim, 'SIGSTOP');
  assert.deepEqual(new Set(await totals(group)), new Set([undefined, 2]));
  await waitFor('its successor to serve', () => group.counts.restarts === 1 && group.counts.serving === 2);
  assert.deepEqual(new Set(await totals(group)), new Set([1, 2]));
  assert.deepEqual(group.counts, { expected: 2, serving: 2, accepting: 1, restarts: 1 });
});
