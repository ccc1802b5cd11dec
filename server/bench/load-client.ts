/** Run by load.ts as a process of its own, so that its CPU is not the server's and can be counted. */
import { connect } from 'node:net';

import { AnswerReader } from './answer-reader.ts';
import { makeCall, type Call } from './calls.ts';
import type { Load, LoadReport } from './load.ts';
import { quantile } from './statistics.ts';

/** Longer than the server lets any request live. */
const silenceMs = 15_000;

/** What the connections of one load share. */
interface Progress {
  readonly call: Call;
  readonly until: number;
  readonly latencies: number[];
  failures: number;
}

/** A closed loop: the next request is sent when the answer to the last one is there. Resolves when nothing is left to do. */
async function driveConnection(port: number, progress: Progress): Promise<void> {
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const reader = new AnswerReader();
  let sentAt: number | undefined;
  const send = (): void => {
    const now = performance.now();
    const next = now < progress.until ? progress.call.next() : undefined;
    sentAt = next === undefined ? undefined : now;
    if (next === undefined) socket.end();
    else socket.write(next);
  };
  socket.on('connect', send);
  socket.on('data', (chunk: Buffer) => {
    const status = reader.push(chunk);
    if (status === undefined) return;
    progress.latencies.push(performance.now() - (sentAt ?? Number.NaN));
    if (status !== progress.call.status) progress.failures += 1;
    send();
  });
  socket.on('error', () => undefined); // `close` follows.
  socket.on('close', (hadError) => {
    if (hadError || sentAt !== undefined) progress.failures += 1;
    resolve();
  });
  socket.setTimeout(silenceMs, () => socket.destroy());
  await closed;
}

async function drive({ port, connections, seconds, call, doomed }: Load): Promise<LoadReport> {
  const began = performance.now();
  const progress: Progress = {
    call: makeCall(call, doomed),
    until: began + seconds * 1000,
    latencies: [],
    failures: 0,
  };
  await Promise.all(Array.from({ length: connections }, async () => driveConnection(port, progress)));
  const { latencies, failures } = progress;
  const { user, system } = process.cpuUsage();
  const perSecond = (latencies.length * 1000) / (performance.now() - began);
  return {
    requests: latencies.length,
    failures,
    perSecond,
    p99Ms: quantile(latencies, 0.99),
    clientCpuUs: user + system,
  };
}

process.once('message', (load: Load) => {
  void drive(load).then((report) => {
    process.send?.(report);
    process.disconnect?.();
  });
});
