import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { pino } from 'pino';

import { waitFor } from '../../test/wait-for.ts';
import { monotonicClock } from '../lib/clock.ts';
import { KeptChild } from './kept-child.ts';

const exec = fileURLToPath(new URL('../../test/scripted-child.ts', import.meta.url));
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const children: KeptChild<string>[] = [];
const ends: string[] = [];
let settings = 'serve';

after(async () => {
  for (const child of children) await child.stop(soon());
});

function keep(first: string): KeptChild<string> {
  settings = first;
  const child = new KeptChild<string>({
    name: 'child',
    exec,
    argument: 'child',
    settings: () => settings,
    heartbeat: { everyMs: 50, maxMissed: 10, maxMissedAtStart: 200 },
    startTimeoutMs: 20_000,
    clock: monotonicClock,
    random: Math.random,
    log: pino({ level: 'silent' }),
    onEnded: (text) => void ends.push(text),
  });
  children.push(child);
  return child;
}

const commitsOf = async (child: KeptChild<string>): Promise<number | undefined> =>
  (await child.measure()).messenger_feed_commits_total?.[0]?.values[0];

test('a killed child is started again, with the present settings, and its totals are kept', async () => {
  const child = keep('serve');
  await child.start(soon());
  assert.equal(await commitsOf(child), 5);
  const first = child.pid ?? assert.fail();
  process.kill(first, 'SIGKILL');
  await waitFor('another process', () => child.pid !== undefined && child.pid !== first);
  await waitFor('its totals', async () => (await commitsOf(child)) === 10);
  assert.deepEqual([child.restarts, ends.at(-1)], [1, 'The child ended by SIGKILL']);
  await child.stop(soon());
  assert.equal(child.pid, undefined);
  assert.equal(child.restarts, 1);
});

test('a frozen child is killed and started again', async () => {
  const child = keep('serve');
  await child.start(soon());
  const first = child.pid ?? assert.fail();
  process.kill(first, 'SIGSTOP');
  await waitFor('another process', () => child.pid !== undefined && child.pid !== first);
  await child.stop(soon());
});

test('a child that fails at the start is reported with its reason, and tried again', async () => {
  const child = keep('fail');
  await assert.rejects(child.start(soon()), /The child did not start: on purpose/u);
  settings = 'serve';
  await waitFor('its start', async () => (await commitsOf(child)) === 5);
  await child.stop(soon());
});

test('a child that does not stop in time is killed', async () => {
  const child = keep('never stop');
  await child.start(soon());
  await child.stop(AbortSignal.timeout(200));
  assert.equal(child.pid, undefined);
});
