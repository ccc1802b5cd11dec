import assert from 'node:assert/strict';
import { test } from 'node:test';

import { noCollection } from '../../test/collections.ts';
import type { Collection } from './collection.ts';
import type { Snapshot } from './metrics.ts';
import { Metrics } from './metrics.ts';
import { Events } from './events.ts';
import { LiveWatch } from './live-watch.ts';
import { nothingSeen } from './live.ts';

/** The start of the supervisor; events of the first seconds are not in the verdict. */
const startMs = 1_000_000;

interface Server {
  readonly name: string;
  readonly startedSeconds?: number;
  readonly isUp?: boolean;
}

function snapshotOf(servers: readonly Server[]): Snapshot {
  const metrics = new Metrics();
  metrics.set('messenger_start_time_seconds', startMs / 1_000);
  metrics.set('messenger_workers', 2, 'serving');
  for (const { name, startedSeconds = 5, isUp = true } of servers) {
    metrics.set('messenger_postgres_up', isUp ? 1 : 0, name);
    if (!isUp) continue;
    metrics.set('messenger_postgres_role', 1, name, name);
    metrics.set('messenger_postgres_timeline', 1, name);
    metrics.set('messenger_postgres_start_time_seconds', startedSeconds, name);
    if (name === 'standby') metrics.set('messenger_postgres_replication_state', 1, name, 'streaming');
  }
  return metrics.snapshot();
}

const pair = [{ name: 'primary' }, { name: 'standby' }];

/** A watch, and a way to sample these servers a second later. */
function create() {
  let atMs = startMs + 60_000;
  let servers: readonly Server[] = pair;
  const watch = new LiveWatch(
    async () => ({ ...noCollection, atMs, metrics: snapshotOf(servers) }),
    new Events(() => atMs),
  );
  const sample = async (now: readonly Server[] = pair, seconds = 1): Promise<void> => {
    servers = now;
    atMs += seconds * 1_000;
    await watch.sample();
  };
  const verdict = async () => (await watch.live(nothingSeen)).verdict;
  return { watch, sample, verdict };
}

test('a crash of both databases between two samples is an event, and stays in the verdict for a minute', async () => {
  const { watch, sample, verdict } = create();
  await sample();
  assert.deepEqual(await verdict(), { level: 'ok', findings: [] });
  await sample(pair.map((server) => ({ ...server, startedSeconds: 9 })));
  const restarted = pair.map((server) => ({ ...server, startedSeconds: 9 }));
  await sample(restarted, 12);
  assert.deepEqual(await verdict(), {
    level: 'warn',
    findings: [
      { level: 'warn', text: '12 s ago: Standby was restarted, or recovered from a crash' },
      { level: 'warn', text: '12 s ago: Primary was restarted, or recovered from a crash' },
    ],
  });
  await sample(restarted, 50);
  assert.equal((await verdict()).level, 'ok');
  const { events } = await watch.live(nothingSeen);
  assert.equal(events.length, 2, 'a page that opens later still has them');
});

test('a page opened later gets the history, and a connected page gets each row once', async () => {
  const { watch, sample } = create();
  for (let n = 0; n < 5; n += 1) await sample();
  const past = await watch.live(nothingSeen);
  assert.equal(past.history.rows.length, 4);
  const next = watch.live(past.seen);
  await sample();
  assert.equal((await next).history.rows.length, 1);
});

test('an outage of a database stays in the verdict for a minute after its end', async () => {
  const { sample, verdict } = create();
  await sample();
  await sample([{ name: 'primary', isUp: false }, { name: 'standby' }]);
  assert.deepEqual((await verdict()).findings[0]?.text, 'The primary does not answer: nothing can be written');
  await sample(pair, 1);
  const { level, findings } = await verdict();
  assert.equal(level, 'warn');
  assert.match(findings[0]?.text ?? '', /^0 ms ago: The primary does not answer/u);
});

test('the watch survives a clock that is set back and a failed collection', async () => {
  const { watch, sample } = create();
  await sample();
  await sample(pair, -3_600);
  await sample();
  const { history, verdict } = await watch.live(nothingSeen);
  assert.deepEqual([history.rows.length, verdict.level], [1, 'ok']);
  const fail = async (): Promise<Collection> => {
    throw new Error('EMFILE');
  };
  const failing = new LiveWatch(fail, new Events(() => 0));
  await failing.sample();
});

test('consecutive refusals are one event, with its end and its highest number', async () => {
  let atMs = startMs;
  const [metrics, events] = [new Metrics(), new Events(() => atMs)];
  metrics.set('messenger_workers', 2, 'serving');
  const watch = new LiveWatch(async () => ({ ...noCollection, atMs, metrics: metrics.snapshot() }), events);
  let refused = 0;
  const sample = async (more: number): Promise<void> => {
    atMs += 1_000;
    refused += more;
    metrics.set('messenger_http_requests_refused_total', refused, 'overloaded');
    await watch.sample();
  };
  for (const more of [0, 20, 400, 0]) await sample(more);
  const [phase, ...others] = (await watch.live(nothingSeen)).events;
  assert.deepEqual(others, []);
  assert.match(phase?.text ?? '', /^Overloaded: 210 requests a second are refused/u);
  assert.equal(phase?.endedMs, undefined);
  for (let n = 0; n < 12; n += 1) await sample(0);
  const [ended] = (await watch.live(nothingSeen)).events;
  assert.ok(ended?.endedMs !== undefined && ended.endedMs > ended.atMs);
});
