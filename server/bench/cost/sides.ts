import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Endpoint, EndpointPair } from '../../src/db/endpoint.ts';
import { main, run } from '../../test/start-server.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { FloorOrder } from '../floor.ts';

const startMs = 60_000;

/** `messenger` is this checkout, `beside` another one, `floor` is `floor.ts`. */
export type SideKind = 'floor' | 'messenger' | 'beside';

/** A running server under measurement. */
export interface Side {
  readonly kind: SideKind;
  readonly processes: number;
  readonly port: number;
  /** Its main process; all others are its children. */
  readonly pid: number;
  readonly endpoints: EndpointPair;
  /** What it has written to standard output so far. */
  readonly output: () => string;
  readonly stop: () => Promise<void>;
}

function role(name: 'WRITE' | 'READ', { host, port, user, database }: Endpoint): Readonly<Record<string, string>> {
  return {
    [`DB_${name}_HOST`]: host,
    [`DB_${name}_PORT`]: String(port),
    [`DB_${name}_USER`]: user,
    [`DB_${name}_NAME`]: database,
  };
}

/** The program of this checkout, or of another one in this folder. */
export function programOf(checkout: string | undefined): string {
  return checkout === undefined ? main : join(resolve(checkout), 'server/src/main.ts');
}

export interface MessengerOptions {
  /** The folder of another checkout. */
  readonly checkout?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

/** A whole server with all defaults on these databases. */
export async function startMessenger(
  processes: number,
  endpoints: EndpointPair,
  { checkout, env = {} }: MessengerOptions = {},
): Promise<Side> {
  const server = await run({
    program: programOf(checkout),
    args: ['start', '--port', '0', '--workers', String(processes), '--data-dir', '/nonexistent'],
    env: { ...env, LOG_LEVEL: 'warn', ...role('WRITE', endpoints.write), ...role('READ', endpoints.read) },
  });
  await waitFor('the server to start', () => server.hasEnded || server.isServing, startMs);
  if (server.hasEnded) throw new Error(`the server ended, saying:\n${server.stderr}`);
  return {
    kind: checkout === undefined ? 'messenger' : 'beside',
    processes,
    port: Number(new URL(server.url).port),
    pid: server.pid,
    endpoints,
    output: () => server.stdout,
    stop: async () => {
      if (!server.hasEnded) server.kill('SIGTERM');
      await server.ended();
    },
  };
}

export async function startFloor(processes: number, endpoints: EndpointPair): Promise<Side> {
  const order: FloorOrder = { processes, endpoints };
  const child = fork(fileURLToPath(new URL('../floor.ts', import.meta.url)), [JSON.stringify(order)]);
  const { promise, resolve: told, reject } = Promise.withResolvers<number>();
  child.once('message', (port) => told(Number(port))).once('exit', () => reject(new Error('the floor ended')));
  const port = await promise;
  return {
    kind: 'floor',
    processes,
    port,
    pid: child.pid ?? 0,
    endpoints,
    output: () => '',
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
