import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { SupervisorMessage, WorkerMessage } from './messages.ts';
import { noCollection } from '../../test/collections.ts';
import { runWorkerProcess, type Served, type WorkerChannel, type WorkerProcess } from './worker-process.ts';

interface Life {
  readonly worker: WorkerProcess;
  /** Its messages to the supervisor, and its exit codes. */
  readonly told: (WorkerMessage | { readonly exit: number })[];
  readonly tell: (message: SupervisorMessage<string>) => void;
  readonly disconnect: () => void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

const report = { routes: ['GET /x'] };
const hello = { type: 'hello' };
const ready = { type: 'ready', report };

function live(serve: Parameters<typeof runWorkerProcess<string>>[1]): Life {
  const told: Life['told'] = [];
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let tell: Life['tell'] = () => assert.fail('nobody listens to the supervisor');
  let disconnect = (): void => assert.fail('nobody looks after the supervisor');
  const channel: WorkerChannel<string> = {
    send: (message) => told.push(message),
    onMessage: (listener) => {
      tell = listener;
    },
    onDisconnect: (listener) => {
      disconnect = listener;
    },
    exit: (exit) => {
      told.push({ exit });
      resolve();
    },
  };
  const worker = runWorkerProcess(channel, serve);
  return { worker, told, tell: (message) => tell(message), disconnect: () => disconnect(), ended };
}

function serving(stop: Served['stop'] = async () => undefined): Served {
  return {
    report,
    measure: () => ({ metrics: {}, slowStatements: [] }),
    accept: async () => [],
    rest: () => undefined,
    shed: () => undefined,
    load: () => ({ connections: 0, maxConnections: 1 }),
    admitWrites: () => undefined,
    forget: () => undefined,
    stop,
  };
}

/** All settled promises have been handled. */
async function settled(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  await promise;
}

test('a worker requests its settings, serves, and reports it', async () => {
  const asked: string[] = [];
  const { told, tell } = live(async (settings) => {
    asked.push(settings);
    return serving();
  });
  assert.deepEqual(told, [hello]);
  tell({ type: 'serve', settings: 'mine' });
  await settled();
  assert.deepEqual(asked, ['mine']);
  assert.deepEqual(told, [hello, ready]);
});

test('a worker that cannot serve reports the reason, and exits with a failure', async () => {
  const { told, tell, ended } = live(async () => {
    throw new Error('no room');
  });
  tell({ type: 'serve', settings: '' });
  await ended;
  assert.deepEqual(told, [hello, { type: 'failed', reason: 'no room' }, { exit: 1 }]);
});

const waysToEnd: readonly (readonly [name: string, end: (life: Life) => void])[] = [
  ['is told to drain', ({ tell }) => tell({ type: 'drain', isReplaced: false })],
  ['has lost its supervisor', ({ disconnect }) => disconnect()],
  ['gets a signal', ({ worker }) => worker.drain()],
];
for (const [name, end] of waysToEnd) {
  test(`a worker that ${name} completes requests in flight before it exits`, async () => {
    const stopped = Promise.withResolvers<void>();
    let stops = 0;
    const life = live(async () =>
      serving(async () => {
        stops += 1;
        await stopped.promise;
      }),
    );
    life.tell({ type: 'serve', settings: '' });
    await settled();
    end(life);
    await settled();
    assert.equal(stops, 1);
    assert.deepEqual(life.told, [hello, ready]);
    stopped.resolve();
    await life.ended;
    assert.deepEqual(life.told, [hello, ready, { exit: 0 }]);
  });
}

test('a worker with several reasons to end stops once', async () => {
  let stops = 0;
  const life = live(async () =>
    serving(async () => {
      stops += 1;
    }),
  );
  life.tell({ type: 'serve', settings: '' });
  await settled();
  for (const [, end] of waysToEnd) end(life);
  await life.ended;
  await settled();
  assert.equal(stops, 1);
  assert.deepEqual(life.told, [hello, ready, { exit: 0 }]);
});

test('a worker that is drained before it has settings exits normally', async () => {
  const { told, tell, ended } = live(async () => serving());
  tell({ type: 'drain', isReplaced: false });
  await ended;
  assert.deepEqual(told, [hello, { exit: 0 }]);
});

test('a worker that is drained during its start stops what it has started', async () => {
  const started = Promise.withResolvers<Served>();
  const { tell, ended } = live(async () => started.promise);
  tell({ type: 'serve', settings: '' });
  tell({ type: 'drain', isReplaced: false });
  let isStopped = false;
  started.resolve(
    serving(async () => {
      isStopped = true;
    }),
  );
  await ended;
  assert.ok(isStopped);
});

test('a worker that cannot stop gracefully exits with a failure', async () => {
  const life = live(async () =>
    serving(async () => {
      throw new Error('stuck');
    }),
  );
  life.tell({ type: 'serve', settings: '' });
  await settled();
  life.tell({ type: 'drain', isReplaced: false });
  await life.ended;
  assert.deepEqual(life.told.at(-1), { exit: 1 });
});

test('it returns its metrics on request, and none before it serves', async () => {
  const metrics = { messenger_worker_restarts_total: [{ labels: [], values: [7] }] };
  const measurement = { metrics, slowStatements: [] };
  const { told, tell } = live(async () => ({ ...serving(), measure: () => measurement }));
  tell({ type: 'measure' });
  tell({ type: 'serve', settings: 'x' });
  await settled();
  assert.deepEqual(told, [hello, ready]);
  tell({ type: 'measure' });
  await settled();
  assert.deepEqual(told.at(-1), { type: 'measured', measurement });
});

test('concurrent requests for the metrics of all processes get their own replies', async () => {
  const asked: Promise<{ readonly atMs: number }>[] = [];
  const { told, tell } = live(async (_settings, { watch: { collect } }) => {
    asked.push(collect(), collect(500));
    return serving();
  });
  tell({ type: 'serve', settings: 'x' });
  await settled();
  const questions = told.filter((message) => 'type' in message && message.type === 'ask');
  assert.deepEqual(questions, [
    { type: 'ask', question: 1, about: { maxAgeMs: 0 } },
    { type: 'ask', question: 2, about: { maxAgeMs: 500 } },
  ]);
  tell({ type: 'answer', question: 2, answer: { ...noCollection, atMs: 22 } });
  tell({ type: 'answer', question: 1, answer: { ...noCollection, atMs: 11 } });
  assert.deepEqual(
    (await Promise.all(asked)).map(({ atMs }) => atMs),
    [11, 22],
  );
});
