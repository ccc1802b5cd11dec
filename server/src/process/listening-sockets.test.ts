import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { ListeningSockets } from './listening-sockets.ts';

/** Records what each worker gets; `accepting` ends when the test says so. */
class FakeWorker {
  got: readonly unknown[] | undefined;
  readonly accepting = Promise.withResolvers<void>();

  async accept(take: () => Promise<readonly unknown[]>): Promise<void> {
    this.got = [...(await take())];
    await this.accepting.promise;
  }
}

test('the first worker creates the sockets; the others wait for them and get the same', async () => {
  const sockets = new ListeningSockets();
  const workers = [new FakeWorker(), new FakeWorker(), new FakeWorker()];
  const given = workers.map(async (worker) => sockets.give(worker));
  await nextTurn();
  assert.deepEqual(
    workers.map(({ got }) => got),
    [[], undefined, undefined],
  );
  sockets.add('a');
  sockets.add(undefined);
  sockets.add('b');
  for (const { accepting } of workers) accepting.resolve();
  await Promise.all(given);
  assert.deepEqual(
    workers.slice(1).map(({ got }) => got),
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
  );
});

test('when the worker that creates them ends, only one other creates them', async () => {
  const sockets = new ListeningSockets();
  const workers = [new FakeWorker(), new FakeWorker(), new FakeWorker()];
  const [first, ...rest] = workers.map(async (worker) => sockets.give(worker));
  await nextTurn();
  workers[0]?.accepting.reject(new Error('it ended'));
  await assert.rejects(first ?? Promise.resolve(), /it ended/u);
  await nextTurn();
  assert.deepEqual(
    workers.map(({ got }) => got),
    [[], [], undefined],
  );
  sockets.add('a');
  for (const { accepting } of workers) accepting.resolve();
  await Promise.all(rest);
  assert.deepEqual(workers[2]?.got, ['a']);
});

test('every socket is closed', () => {
  const sockets = new ListeningSockets();
  const closed: string[] = [];
  for (const name of ['a', 'b']) sockets.add({ close: () => closed.push(name) });
  sockets.close();
  sockets.close();
  assert.deepEqual(closed, ['a', 'b']);
});
