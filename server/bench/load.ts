import { fork } from 'node:child_process';

import type { CallName } from './calls.ts';

export interface Load {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  readonly call: CallName;
  /** How many users `delete` may delete; the load ends early when they are gone. */
  readonly doomed: number;
}

export interface LoadReport {
  readonly requests: number;
  /** Answers with another status than the one that means success, and requests without an answer. */
  readonly failures: number;
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly clientCpuUs: number;
}

/** Loads a server from another process. Rejects when that process fails, or when the signal aborts. */
export async function runLoad(load: Load, signal: AbortSignal): Promise<LoadReport> {
  const client = fork(new URL('load-client.ts', import.meta.url), { signal });
  const { promise, resolve, reject } = Promise.withResolvers<LoadReport>();
  client.once('error', reject);
  client.once('message', (report: LoadReport) => resolve(report));
  client.once('exit', (code) => reject(new Error(`the load client ended with ${code ?? 'a signal'} and no report`)));
  client.send(load);
  return await promise;
}
