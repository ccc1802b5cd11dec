/** The program of the workers in workers.test.ts: it does what its settings say. */
import type { SendHandle } from 'node:child_process';
import { createServer, type Server } from 'node:http';

import { Connections } from '../src/http/connections.ts';
import { Listeners } from '../src/http/listeners.ts';
import { runWorkerProcess } from '../src/process/worker-process.ts';

export interface Script {
  readonly worker: number;
  readonly do:
    | 'serve'
    | 'fail to start'
    | 'die at the start'
    | 'exit at the start'
    | 'never serve'
    | 'hang when stopped'
    | 'wait for the others when stopped'
    | 'ask what all have counted'
    | 'make the others forget';
  /** If set, it answers every connection on it with its greeting. */
  readonly port?: number;
  readonly greeting?: string;
  /** The connections that it reports, of at most 100. */
  readonly connections?: number;
}

runWorkerProcess<Script>(
  {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As in main.ts.
    send: (message, handle) => process.send?.(message, handle as SendHandle),
    onMessage: (listener) => process.on('message', listener),
    onDisconnect: (listener) => process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  async (script, { watch: { collect }, listenersClosed, forgetElsewhere }) => {
    if (script.do === 'ask what all have counted') collect().catch(() => undefined);
    if (script.do === 'fail to start') throw new Error('no room');
    if (script.do === 'die at the start') process.kill(process.pid, 'SIGKILL');
    if (script.do === 'exit at the start') process.exit(0);
    if (script.do === 'never serve') await Promise.withResolvers<void>().promise;
    const { port, greeting = '' } = script;
    const server = answerWith(greeting);
    const connections = new Connections({ total: 1_000, perAddress: 0 });
    server.on('connection', (socket) => connections.admit(socket));
    const listeners = new Listeners(server, () => undefined);
    let done = script.worker;
    process.on('SIGTERM', () => process.exit(0));
    return {
      report: { routes: [`worker ${script.worker}`] },
      measure: () => {
        // All serve by then.
        if (script.do === 'make the others forget') void forgetElsewhere('this').then(() => (done = -1));
        return {
          metrics: { messenger_worker_restarts_total: [{ labels: [], values: [done] }] },
          slowStatements: [],
        };
      },
      accept: async (sockets) => {
        if (port === undefined) return [];
        await listeners.listen({ host: '127.0.0.1', port, reusePort: process.platform === 'linux' }, sockets);
        return sockets.length === 0 ? listeners.handles : [];
      },
      rest: () => listeners.close(),
      shed: () => undefined,
      load: () => ({ connections: script.connections ?? 0, maxConnections: 100 }),
      admitWrites: () => undefined,
      forget: (key) => (done = key === 'this' ? 100 : 0),
      stop: async () => {
        if (script.do === 'hang when stopped') await Promise.withResolvers<void>().promise;
        if (script.do === 'wait for the others when stopped') await listenersClosed();
        listeners.close();
        await connections.empty();
      },
    };
  },
);

function answerWith(greeting: string): Server {
  return createServer((_request, response) => response.writeHead(200, { connection: 'close' }).end(greeting));
}
