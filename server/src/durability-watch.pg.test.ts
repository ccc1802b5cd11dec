/** Reports about DURABILITY=standby while the server runs, on its own pair. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { createTestApp } from '../test/app.ts';
import { recordLog } from '../test/log-lines.ts';
import { waitFor } from '../test/wait-for.ts';
import { TestServer } from './embedded/test-server.ts';
import { monotonicClock } from './lib/clock.ts';
import { ServerRoles } from './server-roles.ts';
import type { Occurrence } from './telemetry/events.ts';

let primary: TestServer;
let standby: TestServer;

before(async () => {
  primary = await TestServer.createPrimary();
  standby = await TestServer.createStandby(primary);
  await primary.sql(`alter system set synchronous_standby_names = 'ANY 1 (*)'`);
  await primary.sql('select pg_reload_conf()');
});
after(async () => {
  await primary.remove();
  await standby.remove();
});

test('while commits wait for a standby and none is available, the server is not ready, with the reason', async () => {
  const app = await createTestApp({ write: primary.endpoint, read: standby.endpoint });
  const ready = async (): Promise<string> => {
    const { statusCode, body } = await app.http.inject('/readyz');
    return `${statusCode} ${/"reason":"(\w+)"/u.exec(body)?.[1] ?? ''}`;
  };
  try {
    await waitFor('the standby to confirm', async () => (await ready()) === '200 ');
    await standby.kill();
    await waitFor('not ready', async () => (await ready()) === '503 no_standby_confirms');
    await standby.start();
    await waitFor('ready again', async () => (await ready()) === '200 ');
  } finally {
    await app.http.close();
    await app.close();
  }
});

test('a promoted standby whose commits wait for no standby is reported once, in the log and as an event', async () => {
  const events: Occurrence[] = [];
  const { log, lines } = recordLog();
  const [write, other] = [primary.endpoint, standby.endpoint];
  const roles = new ServerRoles({
    watched: () => ({ write, otherWrites: [other], reads: [other], applicationName: 'test', prepare: true }),
    durability: 'standby',
    record: (event) => void events.push(event),
    clock: monotonicClock,
    log,
  });
  await roles.start();
  try {
    assert.deepEqual(events, []);
    await primary.kill();
    await standby.promote();
    await waitFor('the event', () => events.some(({ kind, level }) => kind === 'standby' && level === 'bad'));
    const [line] = lines('commits do not wait for a standby');
    assert.match(String(line?.['reason']), /alter system set synchronous_standby_names = 'ANY 1 \(\*\)'/u);
    assert.equal(lines('commits do not wait for a standby').length, 1);
  } finally {
    await roles.stop();
  }
});
