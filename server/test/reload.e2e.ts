/** Reloads of a server on an operator's databases, under load: no request may fail, whatever changes. */
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';

import { findPort } from '../src/process/port.ts';
import { SteadyLoad } from './chaos/steady-load.ts';
import { firstRole, firstToken, Reloadable, secondRole } from './reloadable.ts';
import { workersOf } from './start-server.ts';
import { waitFor } from './wait-for.ts';

let system: Reloadable;
let load: SteadyLoad;
let metricsUrl: string;
let token = firstToken;

before(async () => {
  const port = await findPort('127.0.0.1', 0);
  metricsUrl = `http://127.0.0.1:${port}/metrics`;
  system = await Reloadable.create({
    env: { WORKERS: '1', METRICS_PORT: String(port) },
    yaml: 'server: {max_queue_ms: 5000}\n',
  });
});
after(async () => system.destroy());

beforeEach(async () => {
  load = new SteadyLoad({ url: system.server.url, clients: 20, perSecond: 100 });
  await waitFor('load', () => load.answerTimesMs.length > 100);
});
afterEach(async () => {
  await load.end();
  assert.deepEqual(load.failures, []);
});

const workers = (): Set<number> => new Set(workersOf(system.server.pid));
const withOptions = (options: string, user = firstRole): string =>
  `${system.hosts([system.primary], [system.standby], user)}server: {${options}}\n`;

async function askForMetrics(shown: string): Promise<Response> {
  return await fetch(metricsUrl, { headers: { authorization: `Bearer ${shown}` } });
}

async function metricsPage(): Promise<string> {
  return await (await askForMetrics(token)).text();
}

test('a refused reload changes nothing', async () => {
  const first = workers();
  await system.configure(withOptions('max_queue_ms: often'));
  const bad = await system.reload();
  assert.equal(bad.code, 1);
  assert.match(bad.text, /server\.max_queue_ms: must be a whole number/u);
  await system.configure(withOptions('max_queue_ms: 5000, host: 127.0.0.2'));
  assert.deepEqual(await system.reload(), {
    code: 1,
    text: 'HOST cannot change while the server runs; restart it, or change it back.\n',
  });
  await system.configure(withOptions('max_queue_ms: 5000'));
  await system.writePassword('wrong');
  const refused = await system.reload();
  assert.equal(refused.code, 1);
  assert.match(refused.text, /password authentication failed/u);
  await system.writePassword('first');
  assert.deepEqual(workers(), first);
});

test('a reload applies another role, other options and another token of METRICS_PORT', async () => {
  const first = workers();
  await system.writePassword('second');
  token = 'the-second-token-of-the-operator';
  await system.writeToken(token);
  await system.configure(withOptions('max_queue_ms: 5000, max_body_bytes: 2048', secondRole));
  assert.deepEqual(await system.reload(), {
    code: 0,
    text: 'Reloaded; changed: MAX_BODY_BYTES, DB_WRITE_USER, DB_WRITE_PASSWORD, DB_READ_USER, DB_READ_PASSWORD, METRICS_TOKEN\n',
  });
  assert.ok([...workers()].every((pid) => !first.has(pid)));
  const large = await fetch(`${system.server.url}/api/v1/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ first_name: 'x'.repeat(3_000), last_name: 'x' }),
  });
  assert.equal(large.status, 413);
  assert.equal((await askForMetrics(firstToken)).status, 404);
  assert.match(await metricsPage(), /^messenger_postgres_up\{server="primary"[^}]*\} 1$/mu);
});

test('a server without worker processes refuses to reload, and continues to serve', async () => {
  const other = await system.start({ ENABLE_PREFORK: 'false' });
  const { code, text } = await system.reload(1);
  assert.equal(code, 1);
  assert.match(text, /^With ENABLE_PREFORK=false there are no worker processes to replace; restart the server/u);
  assert.equal((await fetch(`${other.url}/api/v1/users?limit=1`)).status, 200);
  other.kill('SIGTERM');
  assert.equal(await other.ended(), 0);
});

test('SIGHUP applies a new password of the same role; until then, workers share their open connections', async () => {
  const logged = system.server.stderr.length;
  await system.alterPassword(secondRole, 'another');
  const { length } = load.answerTimesMs;
  await waitFor(
    'answers of three seconds; a probe opens a session each second',
    () => load.answerTimesMs.length > length + 300,
  );
  assert.match(await metricsPage(), /^messenger_reads_total\{[^}]*"standby"/mu);
  assert.doesNotMatch(system.server.stderr.slice(logged), /password authentication failed/u);
  await system.writePassword('another');
  system.server.kill('SIGHUP');
  const reloads = (): number => system.server.stderr.split('the configuration was reloaded').length - 1;
  await waitFor('a reload by signal', () => reloads() === 2);
  assert.doesNotMatch(system.server.stderr, /"(?:first|second|another|wrong)"|token-of-the-operator/u);
});

test('a reload applies other hosts: several for writes, the primary for reads', async () => {
  const { primary, standby } = system;
  const steps = [
    { writes: [standby, primary], reads: [standby, primary], standbys: 1 },
    { writes: [primary], reads: [primary], standbys: 0 },
  ];
  for (const { writes, reads, standbys } of steps) {
    await system.configure(`${system.hosts(writes, reads, secondRole)}server: {max_queue_ms: 5000}\n`);
    const { code, text } = await system.reload();
    assert.equal(code, 0, text);
    assert.match(text, /DB_READ_HOST/u);
    await waitFor('metrics of these servers', async () => {
      const page = await metricsPage();
      const isPrimary = /^messenger_postgres_role\{server="primary",role="primary"[^}]*\} 1$/mu.test(page);
      return isPrimary && page.split(/^messenger_postgres_up\{server="standby/mu).length - 1 === standbys;
    });
  }
});
