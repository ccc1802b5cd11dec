import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createLog } from '../telemetry/log.ts';
import type { Service } from './service.ts';
import { startServices, stopServices } from './service-group.ts';

const log = createLog({ level: 'silent', name: 'test', pretty: false });
const group = { startTimeoutMs: 50, stopTimeoutMs: 50, log };
const never = new AbortController().signal;

function service(name: string, events: string[], behaviour: Partial<Pick<Service, 'start' | 'stop'>> = {}): Service {
  return {
    name,
    start: async (signal) => {
      events.push(`start ${name}`);
      await behaviour.start?.(signal);
    },
    stop: async (signal) => {
      events.push(`stop ${name}`);
      await behaviour.stop?.(signal);
    },
  };
}

function fail(message: string): () => Promise<never> {
  return async () => {
    throw new Error(message);
  };
}

async function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason));
  return await promise;
}

test('services start in order and stop in reverse', async () => {
  const events: string[] = [];
  const services = ['a', 'b', 'c'].map((name) => service(name, events));
  await startServices(services, group, never, never);
  await stopServices(services, group, never);
  assert.deepEqual(events, ['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']);
});

test('a failed start stops the started services in reverse, and rejects with the reason', async () => {
  const events: string[] = [];
  const failing = service('b', events, { start: fail('no room') });
  const services = [service('a', events), failing, service('c', events)];
  await assert.rejects(startServices(services, group, never, never), /no room/u);
  assert.deepEqual(events, ['start a', 'start b', 'stop b', 'stop a']);
});

test('a hanging start fails at its deadline, even if it ignores its signal', async () => {
  for (const start of [untilAborted, async () => Promise.withResolvers<void>().promise]) {
    const events: string[] = [];
    await assert.rejects(startServices([service('a', events), service('b', events, { start })], group, never, never));
    assert.deepEqual(events, ['start a', 'start b', 'stop b', 'stop a']);
  }
});

test('an aborted start stops the started services', async () => {
  const events: string[] = [];
  const operator = new AbortController();
  const starting = startServices(
    [service('a', events), service('b', events, { start: untilAborted })],
    { ...group, startTimeoutMs: 60_000 },
    operator.signal,
    never,
  );
  operator.abort(new Error('SIGTERM'));
  await assert.rejects(starting, /SIGTERM/u);
  assert.equal(events.at(-1), 'stop a');
});

test('a stop that fails or hangs does not prevent the others from stopping', async () => {
  const events: string[] = [];
  const services = [
    service('a', events),
    service('b', events, { stop: fail('stuck') }),
    service('c', events, { stop: untilAborted }),
  ];
  await stopServices(services, group, never);
  assert.deepEqual(events, ['stop c', 'stop b', 'stop a']);
});

test('an abort reaches every service that stops', async () => {
  const events: string[] = [];
  const hurried: unknown[] = [];
  const stop = async (signal: AbortSignal): Promise<void> => void hurried.push(signal.aborted);
  const services = [service('a', events, { stop }), service('b', events, { stop })];
  await stopServices(services, { ...group, stopTimeoutMs: 60_000 }, AbortSignal.abort());
  assert.deepEqual(hurried, [true, true]);
});

test('a service that never stops is abandoned, and the others are stopped', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const events: string[] = [];
  const stuck = async (): Promise<void> => Promise.withResolvers<void>().promise;
  const stopping = stopServices([service('a', events), service('b', events, { stop: stuck })], group, never);
  t.mock.timers.tick(60_000);
  await stopping;
  assert.deepEqual(events, ['stop b', 'stop a']);
});
