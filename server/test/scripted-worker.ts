/** The program of the workers in workers.test.ts: it does what its settings say. */
import type { SendHandle } from 'node:child_process';
import { createServer } from 'node:http';

import { Listeners } from '../src/http/listeners.ts';
import { runWorkerProcess, type FromSupervisor } from '../src/process/worker-process.ts';

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
}

runWorkerProcess<Script>(
  {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- As in main.ts.
    send: (message, handle) => process.send?.(message, handle as SendHandle),
    onMessage: (listener) => process.on('message', listener),
    onDisconnect: (listener) => process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  async (script, { watch: { collect }, takeListeners, listenersClosed, forgetElsewhere }) => {
    if (script.do === 'ask what all have counted') collect().catch(() => undefined);
    if (script.do === 'fail to start') throw new Error('no room');
    if (script.do === 'die at the start') process.kill(process.pid, 'SIGKILL');
    if (script.do === 'exit at the start') process.exit(0);
    if (script.do === 'never serve') await Promise.withResolvers<void>().promise;
    const listeners = await listen(script, takeListeners);
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
      listeners: () => listeners?.handles ?? [],
      admitWrites: () => undefined,
      forget: (key) => (done = key === 'this' ? 100 : 0),
      stop: async () => {
        if (script.do === 'hang when stopped') await Promise.withResolvers<void>().promise;
        if (script.do === 'wait for the others when stopped') await listenersClosed();
        await listeners?.close();
      },
    };
  },
);

async function listen(
  { port, greeting = '' }: Script,
  take: FromSupervisor['takeListeners'],
): Promise<Listeners | undefined> {
  if (port === undefined) return undefined;
  const server = createServer((_request, response) => response.writeHead(200, { connection: 'close' }).end(greeting));
  server.maxConnections = 1_000;
  const listeners = new Listeners(server, () => undefined);
  await listeners.listen({ host: '127.0.0.1', port, reusePort: process.platform === 'linux' }, await take());
  return listeners;
}
