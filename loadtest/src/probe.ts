import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('probe-process.ts', import.meta.url));

/** It answers within 100 ms, more on a busy machine; after this time it is killed. */
const answerMs = 5_000;

/** Wake-up delays of an idle process, and the CPU of the probe. */
export interface Stalls {
  readonly p99StallMs: number;
  readonly maxStallMs: number;
  readonly cpuMs: number;
}

export interface Probe {
  /** Ends the probe. Rejects if it has died. */
  stop(): Promise<Stalls>;
}

export function startProbe(): Probe {
  const child = fork(program, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const exited = once(child, 'exit').catch(() => undefined);
  const said = Promise.withResolvers<Stalls>();
  said.promise.catch(() => undefined);
  child.on('message', (stalls: Stalls) => said.resolve(stalls));
  child.on('error', said.reject);
  child.on('exit', () => said.reject(new Error('the probe process ended before its time')));
  return {
    stop: async () => {
      if (child.connected) child.send('stop');
      const timer = setTimeout(() => child.kill('SIGKILL'), answerMs);
      try {
        return await said.promise;
      } finally {
        clearTimeout(timer);
        if (child.connected) child.disconnect();
        await exited;
      }
    },
  };
}
