/** Started by load.ts. Uses sockets without streams for receiving: twice as many requests per second of CPU. */
import { connect, type Socket } from 'node:net';

import { AnswerReader } from './answer-reader.ts';
import { isCall, makeQuestions, settledUsers, type Question } from './calls.ts';
import { chatCallNames, chatQuestions } from './chat-load.ts';
import type { Load, LoadReport } from './load.ts';
import { quantileOf } from './statistics.ts';

/** Longer than the server's deadline of any request. */
const patienceMs = 15_000;
const loopback = '127.0.0.1';

/** Received data is processed at once and not kept, so one buffer is enough. */
const buffer = Buffer.allocUnsafeSlow(65_536);

/** Shared by the connections of one load. */
class Progress {
  readonly latencies: number[] = [];
  readonly sockets = new Set<Socket>();
  readonly #questions: () => Question | undefined;
  failures = 0;
  /** Of the last failure: its status, or `closed`. */
  lastFailure = '';
  bytes = 0;
  latestMs = 0;
  until = Number.POSITIVE_INFINITY;

  constructor({ calls, users = settledUsers, doomed = 0, tokens }: Load) {
    const chat = chatCallNames.find((name) => name === calls[0]);
    this.#questions =
      chat === undefined ? makeQuestions(calls.filter(isCall), { users, doomed, tokens }) : chatQuestions(chat);
  }

  fail(how: string): void {
    this.failures += 1;
    this.lastFailure = how;
  }

  next(now: number): Question | undefined {
    return now < this.until ? this.#questions() : undefined;
  }
}

/** One client; it sends the next request after the last answer, over a new connection if the server closes the old one. */
class Visitor {
  readonly #progress: Progress;
  readonly #port: number;
  #socket: Socket;
  readonly #reader = new AnswerReader();
  readonly #opened = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  #left: number;
  #asked: Question | undefined;
  #askedAt = performance.now();

  constructor(port: number, progress: Progress, requests = Number.POSITIVE_INFINITY) {
    this.#progress = progress;
    this.#left = requests;
    this.#port = port;
    this.#socket = this.#connect();
    this.#socket.once('connect', this.#opened.resolve);
  }

  #connect(): Socket {
    const onread = { buffer, callback: (length: number, bytes: Uint8Array) => this.#hear(length, bytes) };
    const socket = connect({ host: loopback, port: this.#port, noDelay: true, onread });
    socket.on('error', () => undefined); // `close` follows.
    socket.once('close', () => this.#close(socket));
    this.#progress.sockets.add(socket);
    return socket;
  }

  async open(): Promise<void> {
    await this.#opened.promise;
  }

  /**
   * Resolves when all requests are sent, or when the connection has ended. `askedAt`: when it wanted to send the first.
   */
  async askAll(askedAt: number): Promise<void> {
    this.#ask(askedAt);
    await this.#done.promise;
  }

  end(): void {
    this.#socket.end();
  }

  #ask(now: number): void {
    const question = this.#left > 0 ? this.#progress.next(now) : undefined;
    this.#asked = question;
    if (question === undefined) {
      this.#done.resolve();
      return;
    }
    this.#left -= 1;
    this.#askedAt = now;
    this.#socket.write(question.text, 'latin1');
  }

  #hear(length: number, bytes: Uint8Array): boolean {
    const chunk = length === bytes.length ? bytes : bytes.subarray(0, length);
    this.#progress.bytes += length;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- It is `buffer`.
    const status = this.#reader.push(chunk as Buffer);
    if (status === undefined) return true;
    const now = performance.now();
    if (status === this.#asked?.status) this.#progress.latencies.push(now - this.#askedAt);
    else this.#progress.fail(String(status));
    if (this.#reader.closes && this.#left > 0) this.#socket = this.#connect();
    this.#ask(now);
    return true;
  }

  #close(socket: Socket): void {
    this.#progress.sockets.delete(socket);
    if (socket !== this.#socket) return;
    if (this.#asked !== undefined) this.#progress.fail('closed');
    this.#opened.resolve();
    this.#done.resolve();
  }
}

async function visitOnce(port: number, progress: Progress, requests: number, askedAt: number): Promise<void> {
  const visitor = new Visitor(port, progress, requests);
  await visitor.askAll(askedAt);
  visitor.end();
}

async function visitAgainAndAgain(port: number, progress: Progress, requests: number): Promise<void> {
  for (let now = performance.now(); now < progress.until; now = performance.now()) {
    await visitOnce(port, progress, requests, now);
  }
}

/**
 * Timers are exact to a millisecond: latency counts from the arrival of a visitor, and delays of arrivals are reported.
 */
async function arrive({ port, seconds }: Load, perSecond: number, requests: number, progress: Progress): Promise<void> {
  const began = performance.now();
  const visits: Promise<void>[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setInterval(() => {
    const due = (): number => began + (visits.length / perSecond) * 1_000;
    const now = performance.now();
    while (due() <= now && visits.length < perSecond * seconds) {
      progress.latestMs = Math.max(progress.latestMs, now - due());
      visits.push(visitOnce(port, progress, requests, now));
    }
    if (visits.length >= perSecond * seconds) resolve();
  }, 1);
  await promise;
  clearInterval(timer);
  await Promise.all(visits);
}

/** Opens connections in advance; the returned function sends requests. */
async function prepare(load: Load, progress: Progress): Promise<() => Promise<unknown>> {
  const { port, connections, requestsPerConnection } = load;
  if (typeof connections === 'object') {
    return async () => arrive(load, connections.perSecond, requestsPerConnection ?? 1, progress);
  }
  const many = Array.from({ length: connections });
  if (requestsPerConnection !== undefined) {
    return async () => Promise.all(many.map(async () => visitAgainAndAgain(port, progress, requestsPerConnection)));
  }
  const visitors = many.map(() => new Visitor(port, progress));
  await Promise.all(visitors.map(async (visitor) => visitor.open()));
  return async () => Promise.all(visitors.map(async (visitor) => visitor.askAll(performance.now())));
}

async function drive(load: Load, ask: () => Promise<unknown>, progress: Progress): Promise<LoadReport> {
  const before = process.cpuUsage();
  const began = performance.now();
  // Arrivals end by themselves, and their requests complete.
  if (typeof load.connections === 'number') progress.until = began + load.seconds * 1_000;
  const impatience = setTimeout(() => cut(progress), load.seconds * 1_000 + patienceMs);
  await ask();
  clearTimeout(impatience);
  const elapsedMs = performance.now() - began;
  const { user, system } = process.cpuUsage(before);
  const sorted = Float64Array.from(progress.latencies).toSorted();
  return {
    requests: sorted.length,
    failures: progress.failures,
    lastFailure: progress.lastFailure,
    perSecond: (sorted.length * 1_000) / elapsedMs,
    p50Ms: sorted.length === 0 ? Number.NaN : quantileOf(sorted, 0.5),
    p99Ms: sorted.length === 0 ? Number.NaN : quantileOf(sorted, 0.99),
    bytes: progress.bytes,
    clientCpuUs: user + system,
    clientUse: (user + system) / (elapsedMs * 1_000),
    latestMs: progress.latestMs,
  };
}

function cut({ sockets }: Progress): void {
  for (const socket of sockets) socket.destroy();
}

let go = Promise.withResolvers<void>();

async function carryOut(load: Load): Promise<void> {
  go = Promise.withResolvers<void>();
  const progress = new Progress(load);
  const ask = await prepare(load, progress);
  process.send?.('ready');
  await go.promise;
  const report = await drive(load, ask, progress);
  for (const socket of progress.sockets) socket.end();
  process.send?.(report);
}

process.on('message', (message: Load | 'go') => {
  if (message === 'go') go.resolve();
  else void carryOut(message);
});
process.on('disconnect', () => process.exit());
