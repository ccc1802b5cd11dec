import assert from 'node:assert/strict';
import { connect } from 'node:net';

import { Problem } from '@messenger/protocol/problem';
import { Value } from 'typebox/value';

import { Connections, type ConnectionLimits } from '../src/http/connections.ts';
import { createHttpServer, type HttpOptions, type HttpServer } from '../src/http/server.ts';
import { monotonicClock } from '../src/lib/clock.ts';
import { createLog } from '../src/telemetry/log.ts';

/** An HTTP server without routes, with limits small enough to reach in a test. */
export async function createTestServer(
  options: Partial<HttpOptions> & Partial<ConnectionLimits> = {},
): Promise<HttpServer> {
  let requests = 0;
  return await createHttpServer({
    requestTimeoutMs: 30_000,
    keepAliveSeconds: 72,
    maxQueueMs: 100,
    connections: new Connections({ total: options.total ?? 100, perAddress: options.perAddress ?? 0 }),
    maxBodyBytes: 2_048,
    maxHeaderBytes: 2_048,
    corsOrigins: [],
    log: createLog({ level: 'silent', name: 'test', pretty: false }),
    clock: monotonicClock,
    random: Math.random,
    newRequestId: () => `test-${(requests += 1)}`,
    ...options,
  });
}

/** Resolves with the port. */
export async function listen(app: HttpServer): Promise<number> {
  return Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
}

/** Of a server that listens. */
export function portOf(app: HttpServer): number {
  const address = app.server.address();
  assert(typeof address === 'object' && address !== null);
  return address.port;
}

export interface RawAnswer {
  /** Everything received until the connection closed. */
  readonly text: string;
  readonly head: string;
  readonly statusCode: number;
  readonly body: string;
  readonly tookMs: number;
}

/** Sends bytes unchanged, and resolves with everything received when the connection closes. */
export async function sendRaw(port: number, ...parts: readonly string[]): Promise<RawAnswer> {
  const began = performance.now();
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => undefined);
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on('close', () => resolve());
  for (const part of parts) socket.write(part);
  await promise;
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { text, head, body, statusCode: Number(head.split(' ')[1]), tookMs: performance.now() - began };
}

/** The code of a problem; fails for other answers. */
export function codeOf(answer: { readonly statusCode: number; readonly body: string }): string {
  const problem: unknown = JSON.parse(answer.body);
  const { code, status } = Value.Parse(Problem, problem);
  assert.equal(status, answer.statusCode);
  return code;
}
