import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';

import { useDatabase } from '../../test/database.ts';
import { waitFor } from '../../test/wait-for.ts';
import { countRunning, one, pid, refusedWith, sleep, usePools } from '../../test/pools.ts';

const database = useDatabase();
const open = usePools(database);

async function running(): Promise<number> {
  return await countRunning(database, 'select pg_sleep', 'read');
}

/** The standby on a TCP port; `join` controls each connection. */
async function onTcp(join: (socket: Socket, toServer: () => Socket) => void): Promise<Server & { port: number }> {
  const { host, port } = database().endpoints.read;
  const proxy = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    join(socket, () => {
      const server = connect(`${host}/.s.PGSQL.${port}`);
      server.on('error', () => undefined);
      socket.on('close', () => server.destroy());
      return socket.pipe(server).pipe(socket);
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const address = proxy.address();
  assert(typeof address === 'object' && address !== null);
  return Object.assign(proxy, { port: address.port });
}

test('a frozen server loses the connection, and the next call uses another one', { timeout: 15_000 }, async (t) => {
  const pool = open('read', { maxOpen: 1, statementTimeoutMs: 200 });
  const [frozen] = await pool.query(pid, []);
  assert(frozen);
  const thaw = (): boolean => process.kill(frozen.pid, 'SIGCONT');
  const thawing = setTimeout(thaw, 5_000); // All tests share this server, so it must always be resumed.
  t.after(() => {
    clearTimeout(thawing);
    thaw();
  });
  process.kill(frozen.pid, 'SIGSTOP');
  await assert.rejects(pool.query(one, []), refusedWith('statement_timeout'));
  assert.notDeepEqual(await pool.query(pid, []), [frozen]);
});

test('a read over TCP is cancelled on the server', async (t) => {
  const proxy = await onTcp((_socket, toServer) => void toServer());
  t.after(() => proxy.close());
  const endpoint = { ...database().endpoints.read, host: '127.0.0.1', port: proxy.port };
  const caller = new AbortController();
  const slow = assert.rejects(open('read', { endpoint }).query(sleep, [30], caller.signal), /gone/u);
  await waitFor('the read to run', async () => (await running()) === 1);
  caller.abort(new Error('gone'));
  await slow;
  await waitFor('the read to end on the server', async () => (await running()) === 0, 8_000);
});

/** Cancels a read on a server that does not accept CancelRequests; ends the remaining statement. */
async function cancelInVain(proxy: { readonly port: number }, stopTaking: () => void): Promise<void> {
  const endpoint = { ...database().endpoints.read, host: '127.0.0.1', port: proxy.port };
  const pool = open('read', { endpoint });
  const [row] = await pool.query(pid, []);
  const caller = new AbortController();
  const slow = assert.rejects(pool.query(sleep, [30], caller.signal), /gone/u);
  await waitFor('the read to run', async () => (await running()) === 1);
  stopTaking();
  caller.abort(new Error('gone'));
  await slow;
  await database().sqlOnStandby('select pg_terminate_backend($1, 5000)', [row?.pid]);
}

test("a refused cancel request does not delay the caller's error", { timeout: 15_000 }, async () => {
  const proxy = await onTcp((_socket, toServer) => void toServer());
  await cancelInVain(proxy, () => proxy.close());
});

test("a cancel request without an answer does not delay the caller's error", { timeout: 15_000 }, async (t) => {
  const unanswered: Socket[] = [];
  let isTaking = true;
  const proxy = await onTcp((socket, toServer) => {
    if (isTaking) toServer();
    else unanswered.push(socket.resume());
  });
  t.after(() => proxy.close());
  await cancelInVain(proxy, () => {
    isTaking = false;
  });
  assert.equal(unanswered.length, 1);
  // A FIN alone arrives at once; only a write reveals that the peer is gone.
  const isGone = (socket: Socket): boolean => {
    socket.write('late');
    return socket.destroyed;
  };
  await waitFor('our side to close', () => unanswered.every(isGone), 3_000);
});
