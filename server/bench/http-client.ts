/**
 * A process that asks one question again and again over raw sockets, as cheaply as JavaScript can: the server is the
 * bottleneck. Started by fork; each message is an order, answered when all its requests are.
 */
import { connect, type Socket } from 'node:net';

export interface Order {
  readonly port: number;
  /** Keep-alive connections; each has one request under way at any time. */
  readonly connections: number;
  readonly requests: number;
  /** The bytes of one request. */
  readonly request: string;
  /** Any other answer ends the run: a server that refuses is fast. */
  readonly status: number;
}

/** One answer is one chunk: it is small, and a server that corks writes it at once. */
async function ask(order: Order, socket: Socket, takeOne: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const request = Buffer.from(order.request);
  const next = (): void => {
    if (takeOne()) socket.write(request);
    else socket.end();
  };
  socket.setNoDelay(true);
  socket.once('connect', next);
  socket.on('data', (chunk: Buffer) => {
    const isWhole = chunk.at(-1) === closingBrace && chunk.toString('latin1', 9, 12) === String(order.status);
    if (isWhole) next();
    else socket.destroy(new Error(`not a whole ${order.status} in one chunk: ${chunk.toString()}`));
  });
  socket.on('error', reject);
  socket.on('close', () => resolve());
  await promise;
}

const closingBrace = '}'.charCodeAt(0);

async function carryOut(order: Order): Promise<void> {
  let left = order.requests;
  const takeOne = (): boolean => (left -= 1) >= 0;
  const sockets = Array.from({ length: order.connections }, () => connect(order.port, '127.0.0.1'));
  let isOver = false;
  const stayAwake = (): void => {
    if (!isOver) setImmediate(stayAwake);
  };
  stayAwake();
  await Promise.all(sockets.map(async (socket) => ask(order, socket, takeOne)));
  isOver = true;
}

process.on('message', (order: Order) => {
  void carryOut(order).then(() => process.send?.('done'));
});
process.on('disconnect', () => process.exit());
