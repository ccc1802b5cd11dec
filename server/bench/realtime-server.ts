/** A process of the fan-out benchmark: sockets behind our engine (`engine`), or behind a bare `ws` server (`bare`), and bursts for all of them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { WebSocketServer } from 'ws';

import { Connections } from '../src/http/connections.ts';
import { createHttpServer } from '../src/http/server.ts';
import { createSessionCookies } from '../src/http/session-cookie.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import { Frame } from '../src/sockets/frame.ts';
import type { Socket } from '../src/sockets/socket.ts';
import { socketRoute } from '../src/sockets/socket-route.ts';
import { Sockets } from '../src/sockets/sockets.ts';
import { createLog } from '../src/telemetry/log.ts';
import { changeOf } from './realtime-change.ts';

/** From the parent: send a burst of so many changes to every socket. */
export interface ServerOrder {
  readonly burst: number;
}

function fail(error: unknown): never {
  throw error;
}

interface Side {
  readonly port: number;
  readonly burst: (changes: number) => void;
}

async function startEngine(): Promise<Side> {
  const open: Socket[] = [];
  const app = await createHttpServer({
    requestTimeoutMs: 60_000,
    keepAliveSeconds: 72,
    maxQueueMs: 0,
    connections: new Connections({ total: 20_000, perAddress: 0 }),
    maxBodyBytes: 1_024,
    maxHeaderBytes: 8_192,
    corsOrigins: [],
    log: createLog({ level: 'silent', name: 'bench', pretty: false }),
    clock: monotonicClock,
    random: Math.random,
    newRequestId: () => 'bench',
  });
  socketRoute(app, {
    sockets: new Sockets({ perAccount: 0, perAddress: 0, clock: monotonicClock, random: Math.random, onDefect: fail }),
    cookies: createSessionCookies({ isSecure: false, maxAgeDays: 1 }),
    open: (socket) => {
      open.push(socket);
      return { onFrame: () => undefined, onDrained: () => undefined, onClose: () => undefined };
    },
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 });
  const burst = (changes: number): void => {
    for (let n = 0; n < changes; n += 1) {
      const frame = new Frame(changeOf(n));
      for (const socket of open)
        if (socket.send(frame, 'durable') !== 'sent')
          throw new Error('a client is gone, or too slow for the benchmark');
    }
  };
  return { port: Number(new URL(url).port), burst };
}

async function startBare(): Promise<Side> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 }, resolve);
  await promise;
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const burst = (changes: number): void => {
    for (let n = 0; n < changes; n += 1) {
      const text = JSON.stringify(changeOf(n));
      for (const socket of sockets.clients) socket.send(text);
    }
  };
  return { port: (address satisfies AddressInfo).port, burst };
}

const { port, burst } = process.argv[2] === 'bare' ? await startBare() : await startEngine();

process.on('message', (order: ServerOrder) => burst(order.burst));
process.send?.(port);
