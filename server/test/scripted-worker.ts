/** The program of the workers in workers.test.ts: it does what its settings say. */
import { runWorkerProcess } from '../src/process/worker-process.ts';

export interface Script {
  readonly worker: number;
  readonly do:
    | 'serve'
    | 'fail to start'
    | 'die at the start'
    | 'exit at the start'
    | 'hang when stopped'
    | 'ask what all have counted';
}

runWorkerProcess<Script>(
  {
    send: (message) => process.send?.(message),
    onMessage: (listener) => process.on('message', listener),
    onDisconnect: (listener) => process.on('disconnect', listener),
    exit: (code) => process.exit(code),
  },
  async (script, collect) => {
    if (script.do === 'ask what all have counted') collect().catch(() => undefined);
    if (script.do === 'fail to start') throw new Error('no room');
    if (script.do === 'die at the start') process.kill(process.pid, 'SIGKILL');
    if (script.do === 'exit at the start') process.exit(0);
    process.on('SIGTERM', () => process.exit(0));
    return {
      report: { routes: [`worker ${script.worker}`] },
      measure: () => ({
        metrics: { messenger_worker_restarts_total: [{ labels: [], values: [script.worker] }] },
        slowStatements: [],
      }),
      stop: async () => {
        if (script.do === 'hang when stopped') await Promise.withResolvers<void>().promise;
      },
    };
  },
);
