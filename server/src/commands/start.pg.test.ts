import assert from 'node:assert/strict';
import { request } from 'node:http';
import { afterEach, test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import { loadConfig } from '../load-config.ts';
import type { Endpoint } from '../db/endpoint.ts';
import { start } from './start.ts';

const database = useDatabase();
/** Longer than the interval in which two signals count as one. */
const anotherWishMs = 350;

interface Running {
  readonly code: Promise<number>;
  /** Whether it has ended. */
  isOver: boolean;
  out: string;
  readonly signal: (name: string) => void;
}

let last: Running | undefined;
afterEach(async () => {
  last?.signal('SIGTERM');
  const began = performance.now();
  await waitFor('the server to end, at the latest by its second signal', () => {
    if (performance.now() - began > anotherWishMs) last?.signal('SIGTERM');
    return last?.isOver ?? true;
  });
});

function environment(role: 'WRITE' | 'READ', { host, port, user, database: name }: Endpoint): Record<string, string> {
  return {
    [`DB_${role}_HOST`]: host,
    [`DB_${role}_PORT`]: String(port),
    [`DB_${role}_USER`]: user,
    [`DB_${role}_NAME`]: name,
  };
}

/** `messenger start` in this process, on the databases of this file. */
function run(changes: Readonly<Record<string, string>> = {}): Running {
  const { write, read } = database().endpoints;
  const own = { PORT: '0', ENABLE_PREFORK: 'false', LOG_LEVEL: 'silent' };
  const env = { ...own, ...environment('WRITE', write), ...environment('READ', read), ...changes };
  const listeners: ((name: string) => void)[] = [];
  const io = {
    env,
    out: (text: string) => {
      running.out += text;
    },
    err: () => undefined,
    errIsTerminal: false,
    onSignal: (listener: (name: string) => void) => void listeners.push(listener),
    exec: '',
    version: '0.0.0',
  };
  const running: Running = {
    code: Promise.resolve(0).then(async () => start(() => loadConfig({ flags: {}, env, file: undefined }), io)),
    isOver: false,
    out: '',
    signal: (name) => {
      for (const listener of listeners) listener(name);
    },
  };
  const end = (): void => {
    running.isOver = true;
  };
  running.code.then(end, end);
  last = running;
  return running;
}

async function serving(): Promise<Running & { readonly url: string }> {
  const running = run();
  await waitFor('the server to serve', () => running.isOver || running.out.includes('Ctrl-C'));
  assert.equal(running.isOver, false);
  return Object.assign(running, { url: /URL +(\S+)/u.exec(running.out)?.[1] ?? '' });
}

/** A request with an incomplete body, for which a drain waits. Resolves when it is in flight, with its end. */
async function hold(url: string): Promise<{ isOver: boolean; readonly let: () => void }> {
  const headers = { 'content-type': 'application/json', 'content-length': 2, expect: '100-continue' };
  const outgoing = request(`${url}/api/v1/users`, { method: 'POST', headers });
  const held = { isOver: false, let: () => outgoing.end('{}') };
  const taken = Promise.withResolvers<void>();
  outgoing.on('continue', () => taken.resolve());
  outgoing.on('response', (incoming) => incoming.resume());
  outgoing.on('error', () => undefined);
  outgoing.on('close', () => {
    held.isOver = true;
  });
  outgoing.flushHeaders();
  await taken.promise;
  return held;
}

test('a signal lets requests finish; the same signal repeated at once counts as one', async () => {
  const running = await serving();
  const held = await hold(running.url);
  running.signal('SIGINT');
  running.signal('SIGTERM'); // As npm forwards it.
  const began = performance.now();
  await waitFor('the moment to be over', () => held.isOver || performance.now() - began > anotherWishMs);
  assert.equal(held.isOver, false);
  held.let();
  assert.equal(await running.code, 0);
});

test('a later second signal stops at once', async () => {
  const running = await serving();
  const held = await hold(running.url);
  running.signal('SIGTERM');
  const began = performance.now();
  await waitFor('the moment to be over', () => performance.now() - began > anotherWishMs);
  assert.equal(held.isOver, false);
  running.signal('SIGTERM');
  assert.equal(await running.code, 0);
  assert.ok(performance.now() - began < 5_000, 'the request has 10 s, and was not waited for');
});

test('a signal during the start stops what has started', async () => {
  const running = run({ DB_READ_HOST: '/nonexistent' });
  running.code.catch(() => undefined);
  const began = performance.now();
  await waitFor('it to listen to signals', () => {
    running.signal('SIGTERM');
    return running.isOver || performance.now() - began > 2_000;
  });
  assert.equal(await running.code, 0);
});

test('configured connections that do not fit are refused with the calculation', async () => {
  await assert.rejects(run({ DB_WRITE_MAX_OPEN_CONNS: '9999' }).code, /write 9999 \(DB_WRITE_MAX_OPEN_CONNS\) × 1/u);
});
